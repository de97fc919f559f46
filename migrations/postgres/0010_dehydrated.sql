-- Devices that are laid by, and senders of messages to devices.
-- The same tables and columns stand in the file for SQLite; docs/architecture.md describes them.

-- The device that a user has laid by, to receive messages while no other one does: at most one each.
CREATE TABLE dehydrated_devices (
    user_sn BIGINT PRIMARY KEY NOT NULL,
    device_sn BIGINT NOT NULL,
    device_data TEXT NOT NULL
);

-- Who sent a message, to thin out the box of a device that takes none of them.
ALTER TABLE to_device ADD COLUMN sender_sn BIGINT NOT NULL DEFAULT 0;

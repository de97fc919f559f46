-- The position of a room's newest event could be put back, and whoever synced from before was not told of the room.
UPDATE rooms SET last_position = COALESCE(
    (SELECT MAX(position) FROM events WHERE events.room_sn = rooms.room_sn), last_position);
-- Events tell whether the room's state became another with them; of old ones all count that may have done so.
UPDATE events SET flags = flags | 128
    WHERE position IS NOT NULL AND (slot IS NOT NULL OR room_root <> state_root);

//! Messages to single devices.

mod send_event_to_device;

//! Who is typing.

mod create_typing_event;

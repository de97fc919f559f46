//! What is kept in memory and handed to readers: plain types, shared by the write set, by what all clones of a
//! store share, and by the tables' own modules. Nothing here knows SQL or the store.

mod account_data;
mod aggregation;
mod device_state;
mod event;
mod membership;
mod receipts;
mod room_head;
mod search_terms;

pub use account_data::AccountData;
pub(crate) use account_data::AccountDataChange;
pub use aggregation::{Aggregation, ThreadPart};
pub use device_state::DeviceState;
pub use event::{EventFlags, NewEvent, StoredEvent};
pub(crate) use membership::MemberChange;
pub use membership::{Member, RoomMembers, RoomServers, UserRooms};
pub(crate) use receipts::ReceiptChange;
pub use receipts::{Receipt, RoomReceipts};
pub use room_head::RoomHead;
pub use search_terms::{SearchTerms, SearchWord};

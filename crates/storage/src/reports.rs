//! What users have reported to the administrators: an event, a room or a user.
//!
//! What an event said is kept with the report as it was at that time. Who may report what is not known here.

use ruma::OwnedUserId;

use crate::{
    UserSn,
    error::StorageError,
    statement::statements,
    store::Store,
    value::{Row, Value},
    write_set::WriteSet,
};

macro_rules! select_report {
    ($rest:literal) => {
        concat!(
            "SELECT r.report_sn, u.user_id, r.room_id, r.event_id, r.user_id, r.reason, r.event, r.created_ts,
                 r.closed_ts, r.closed_by, r.note FROM reports r JOIN users u ON u.user_sn = r.reporter_sn ",
            $rest
        )
    };
}

statements! {
    REPORT = select_report!("WHERE r.report_sn = $1");
    REPORTS = select_report!("WHERE r.report_sn < $1 ORDER BY r.report_sn DESC LIMIT $2");
    OPEN_REPORTS =
        select_report!("WHERE r.report_sn < $1 AND r.closed_ts IS NULL ORDER BY r.report_sn DESC LIMIT $2");
    CLOSED_REPORTS =
        select_report!("WHERE r.report_sn < $1 AND r.closed_ts IS NOT NULL ORDER BY r.report_sn DESC LIMIT $2");
    REPORT_EXISTS = "SELECT 1 FROM reports WHERE report_sn = $1";
    ADD_REPORT(rows of 8, key 1) =
        "INSERT INTO reports (report_sn, reporter_sn, room_id, event_id, user_id, reason, event, created_ts)
         VALUES {rows}";
    CLOSE_REPORT = "UPDATE reports SET closed_ts = $2, closed_by = $3, note = $4 WHERE report_sn = $1";
}

/// The guard of [`WriteSet::close_report`]: there is no such report.
pub const REPORT_IS_THERE: &str = "report_is_there";

/// What a report is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportedThing {
    /// An event.
    Event {
        /// Its room.
        room_id: String,
        /// Its id.
        event_id: String,
        /// Who sent it.
        sender: String,
        /// What it was, as JSON for clients.
        event: String,
    },
    /// A room.
    Room(String),
    /// A user.
    User(String),
}

/// A report to be kept.
#[derive(Clone, Debug)]
pub struct NewReport<'a> {
    /// Its number; later ones have greater numbers.
    pub report: i64,
    /// Who reports.
    pub reporter: UserSn,
    /// What.
    pub thing: &'a ReportedThing,
    /// Why, in the reporter's words.
    pub reason: &'a str,
    /// When, in milliseconds since the Unix epoch.
    pub created_ts: i64,
}

/// A report as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its number.
    pub report: i64,
    /// Who reported.
    pub reporter: OwnedUserId,
    /// What.
    pub thing: ReportedThing,
    /// Why, in the reporter's words.
    pub reason: String,
    /// When, in milliseconds since the Unix epoch.
    pub created_ts: i64,
    /// When it was closed, and by whom.
    pub closed: Option<(i64, String)>,
    /// What whoever closed it wrote down.
    pub note: Option<String>,
}

/// Which reports are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReportsWanted {
    /// Those that wait for somebody.
    #[default]
    Open,
    /// Those that are done with.
    Closed,
    /// All.
    All,
}

impl WriteSet {
    /// Keeps a report.
    pub fn add_report(&mut self, new: &NewReport<'_>) {
        let (room, event, user, content) = match new.thing {
            ReportedThing::Event { room_id, event_id, sender, event } => {
                (Some(room_id), Some(event_id), Some(sender), Some(event))
            }
            ReportedThing::Room(room_id) => (Some(room_id), None, None, None),
            ReportedThing::User(user_id) => (None, None, Some(user_id), None),
        };
        let text = |text: Option<&String>| Value::from(text.map(String::as_str));
        self.write(
            &ADD_REPORT,
            vec![
                new.report.into(),
                new.reporter.into(),
                text(room),
                text(event),
                text(user),
                new.reason.into(),
                text(content),
                new.created_ts.into(),
            ],
        );
    }

    /// Closes a report, or with `None` opens it again, and demands that it is there. See [`REPORT_IS_THERE`].
    pub fn close_report(&mut self, report: i64, closed: Option<(i64, &str)>, note: Option<&str>) {
        self.demand_present(REPORT_IS_THERE, &REPORT_EXISTS, vec![report.into()]);
        let (closed_ts, closed_by) = closed.unzip();
        self.write(&CLOSE_REPORT, vec![report.into(), closed_ts.into(), closed_by.into(), note.into()]);
    }
}

impl Store {
    /// A report.
    pub async fn report(&self, report: i64) -> Result<Option<Report>, StorageError> {
        let row = self.engine.fetch_one(&REPORT, vec![report.into()]).await?;
        row.map(|row| from_row(&row)).transpose()
    }

    /// At most `limit` reports before a number, the newest first.
    pub async fn reports(
        &self,
        wanted: ReportsWanted,
        before: i64,
        limit: u32,
    ) -> Result<Vec<Report>, StorageError> {
        let statement = match wanted {
            ReportsWanted::Open => &OPEN_REPORTS,
            ReportsWanted::Closed => &CLOSED_REPORTS,
            ReportsWanted::All => &REPORTS,
        };
        let rows = self.engine.fetch(statement, vec![before.into(), limit.into()]).await?;
        rows.iter().map(from_row).collect()
    }
}

fn from_row(row: &Row) -> Result<Report, StorageError> {
    let reporter = OwnedUserId::try_from(row.text(1)?);
    let (room_id, event_id, user_id) = (row.opt_text(2)?, row.opt_text(3)?, row.opt_text(4)?);
    let thing = match (room_id, event_id, user_id) {
        (Some(room_id), Some(event_id), Some(sender)) => {
            ReportedThing::Event { room_id, event_id, sender, event: row.opt_text(6)?.unwrap_or_default() }
        }
        (Some(room_id), None, None) => ReportedThing::Room(room_id),
        (None, None, Some(user_id)) => ReportedThing::User(user_id),
        _ => return Err(StorageError::Corrupt("a report of nothing".to_owned())),
    };
    Ok(Report {
        report: row.int(0)?,
        reporter: reporter.map_err(|_| StorageError::Corrupt("a user id".to_owned()))?,
        thing,
        reason: row.text(5)?,
        created_ts: row.int(7)?,
        closed: row.opt_int(8)?.zip(row.opt_text(9)?),
        note: row.opt_text(10)?,
    })
}

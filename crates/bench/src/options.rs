//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, ValueEnum};

/// Puts load on a Matrix homeserver through its public client-server API, and reports what it costs.
#[derive(Debug, Parser)]
#[command(name = "parvis-bench", version)]
pub(crate) struct Options {
    /// The server's base address, http://host:port. Use a loopback address: load is for your own machine.
    #[arg(long)]
    pub(crate) url: String,
    /// Process whose cost is counted, with everything it started. Give it once for each process.
    #[arg(long = "pid", num_args = 1..)]
    pub(crate) pids: Vec<u32>,
    #[command(flatten)]
    pub(crate) users: Users,
    /// Scenarios to run, in this order; all of them when not given.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<Scenario>,
    /// Small numbers: shows that everything works, measures nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Also write the report as JSON here.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) sizes: GivenSizes,
}

/// Where users come from.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Users {
    /// JSON file: [{"user_id", "access_token"} or {"user", "password"}, …].
    #[arg(long = "users")]
    pub(crate) file: Option<PathBuf>,
    /// Register users where registration is open (m.login.dummy).
    #[arg(long)]
    pub(crate) register_dummy: bool,
    /// Register users with this registration token.
    #[arg(long)]
    pub(crate) register_token: Option<String>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// GET /_matrix/client/versions: what HTTP alone costs.
    Versions,
    /// Messages in three shapes of rooms and senders.
    Send,
    /// POST /createRoom.
    CreateRoom,
    /// Many users join one room, one after the other.
    Join,
    /// A long room, read backwards.
    Pagination,
    /// GET /sync without `since`.
    InitialSync,
    /// GET /sync with nothing new and no waiting.
    EmptyPoll,
    /// Sliding sync: the first window, a wake-up, and nothing new.
    SlidingSync,
    /// A message to a room full of waiting clients.
    Fanout,
    /// A join into a room of another server; only when named, with --remote-room.
    RemoteJoin,
}

impl Scenario {
    /// As it is written on the command line and in the report.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Sizes as given; what is not given comes from the full or the quick preset.
#[derive(Args, Debug)]
pub(crate) struct GivenSizes {
    /// Longest time to load each shape, in seconds [default: 15, quick 4].
    #[arg(long)]
    seconds: Option<u64>,
    /// Most requests in each shape of `versions` and `empty-poll`, and of sliding sync with nothing new [default: 20000, quick 500].
    #[arg(long)]
    requests: Option<usize>,
    /// Most messages in each shape of `send`, and most wake-ups of sliding sync [default: 3000, quick 200].
    #[arg(long)]
    sends: Option<usize>,
    /// Rooms to create [default: 100, quick 10].
    #[arg(long)]
    create_rooms: Option<usize>,
    /// Users to join [default: 200, quick 20].
    #[arg(long)]
    joins: Option<usize>,
    /// Messages in the room that is paginated [default: 3000, quick 250].
    #[arg(long)]
    history: Option<usize>,
    /// Rooms of the accounts that sync initially [default: 50,300, quick 10].
    #[arg(long, value_delimiter = ',')]
    rooms: Vec<usize>,
    /// Rooms of the accounts that use sliding sync [default: 50,300, quick 10].
    #[arg(long, value_delimiter = ',')]
    sliding_rooms: Vec<usize>,
    /// Most initial syncs of each account, and first windows of sliding sync [default: 30, quick 3].
    #[arg(long)]
    initial_syncs: Option<usize>,
    /// Numbers of waiting clients [default: 50,300,1000, quick 20].
    #[arg(long, value_delimiter = ',')]
    waiting: Vec<usize>,
    /// Messages to each number of waiting clients [default: 20, quick 3].
    #[arg(long)]
    rounds: Option<usize>,
    /// Presence that waiting clients ask for. With `online`, presence of everybody to everybody is measured
    /// along with the messages, where the server does presence.
    #[arg(long, default_value = "offline")]
    set_presence: String,
    /// The room of `remote-join`.
    #[arg(long, requires = "remote_via")]
    remote_room: Option<String>,
    /// The server that resides in it.
    #[arg(long, requires = "remote_room")]
    remote_via: Option<String>,
    /// How many members it has.
    #[arg(long, default_value_t = 50_000)]
    remote_members: usize,
}

/// A room that lives on another server.
#[derive(Clone, Debug)]
pub(crate) struct RemoteRoom {
    pub(crate) room_id: String,
    pub(crate) via: String,
    pub(crate) members: usize,
}

/// Sizes of everything, settled.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    pub(crate) time: Duration,
    pub(crate) requests: usize,
    pub(crate) sends: usize,
    pub(crate) create_rooms: usize,
    pub(crate) joins: usize,
    pub(crate) history: usize,
    pub(crate) rooms: Vec<usize>,
    pub(crate) sliding_rooms: Vec<usize>,
    pub(crate) initial_syncs: usize,
    pub(crate) waiting: Vec<usize>,
    pub(crate) rounds: usize,
    pub(crate) set_presence: String,
    pub(crate) remote_room: Option<RemoteRoom>,
}

impl GivenSizes {
    /// Fills what was not given.
    pub(crate) fn settle(self, quick: bool) -> Sizes {
        let or = |given: Option<usize>, full, small| given.unwrap_or(if quick { small } else { full });
        let or_list = |given: Vec<usize>, full: &[usize], small: &[usize]| match (given.is_empty(), quick) {
            (false, _) => given,
            (true, false) => full.to_vec(),
            (true, true) => small.to_vec(),
        };
        let mut waiting = or_list(self.waiting, &[50, 300, 1000], &[20]);
        waiting.sort_unstable();
        let remote_room = self.remote_room.zip(self.remote_via).map(|(room_id, via)| RemoteRoom {
            room_id,
            via,
            members: self.remote_members,
        });
        Sizes {
            time: Duration::from_secs(self.seconds.unwrap_or(if quick { 4 } else { 15 })),
            requests: or(self.requests, 20_000, 500),
            sends: or(self.sends, 3000, 200),
            create_rooms: or(self.create_rooms, 100, 10),
            joins: or(self.joins, 200, 20),
            history: or(self.history, 3000, 250),
            rooms: or_list(self.rooms, &[50, 300], &[10]),
            sliding_rooms: or_list(self.sliding_rooms, &[50, 300], &[10]),
            initial_syncs: or(self.initial_syncs, 30, 3),
            waiting,
            rounds: or(self.rounds, 20, 3),
            set_presence: self.set_presence,
            remote_room,
        }
    }
}

//! The list of every statement, and what tests ask of it: that each is valid on the engine at hand.

use crate::{
    account_data, accounts, addresses, aggregations, application_services, cross_signing, dehydrated,
    delayed_events, device_keys, device_lists, dialect, engine::Pools, error::StorageError, events,
    failing_servers, filters, graph, inbox, interactive_auth, intern, key_backups, media, members,
    one_time_keys, outbound, outside, passes, peer_keys, policy_changes, profiles, pushers, receipts,
    registration_tokens, reports, restored, rooms, search, servers, sessions, state, statement::Statement,
    store, store::Store, to_device, writer,
};

/// Every registered statement.
fn all() -> impl Iterator<Item = &'static Statement> {
    [
        account_data::STATEMENTS,
        aggregations::STATEMENTS,
        application_services::STATEMENTS,
        accounts::STATEMENTS,
        addresses::STATEMENTS,
        cross_signing::STATEMENTS,
        dehydrated::STATEMENTS,
        delayed_events::STATEMENTS,
        device_keys::STATEMENTS,
        device_lists::STATEMENTS,
        events::STATEMENTS,
        failing_servers::STATEMENTS,
        filters::STATEMENTS,
        graph::STATEMENTS,
        inbox::STATEMENTS,
        interactive_auth::STATEMENTS,
        intern::STATEMENTS,
        key_backups::STATEMENTS,
        media::STATEMENTS,
        members::STATEMENTS,
        crate::browser_sessions::STATEMENTS,
        crate::notice_rooms::STATEMENTS,
        crate::identity_providers::STATEMENTS,
        crate::oauth::STATEMENTS,
        outside::STATEMENTS,
        outbound::STATEMENTS,
        one_time_keys::STATEMENTS,
        passes::STATEMENTS,
        peer_keys::STATEMENTS,
        policy_changes::STATEMENTS,
        profiles::STATEMENTS,
        pushers::STATEMENTS,
        receipts::STATEMENTS,
        crate::remote_media::STATEMENTS,
        registration_tokens::STATEMENTS,
        crate::relationships::STATEMENTS,
        reports::STATEMENTS,
        restored::STATEMENTS,
        rooms::STATEMENTS,
        search::STATEMENTS,
        servers::STATEMENTS,
        sessions::STATEMENTS,
        state::STATEMENTS,
        store::STATEMENTS,
        crate::thread_subscriptions::STATEMENTS,
        to_device::STATEMENTS,
        crate::upstream_sessions::STATEMENTS,
        writer::STATEMENTS,
        writer::batch::STATEMENTS,
        writer::transaction::STATEMENTS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// How many parameters a text names: the greatest `$n` in it, or, where they have no names, how many there are.
fn parameters_named(text: &str) -> usize {
    if text.contains('?') {
        return text.matches('?').count();
    }
    let numbers = text.split('$').skip(1).map(|behind| {
        let digits = behind.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(behind.len());
        behind[..digits].parse().unwrap_or(0)
    });
    numbers.max().unwrap_or(0)
}

/// Asks the engine to prepare every statement, with one and with several rows or list elements. Gives how
/// many texts were prepared.
///
/// # Errors
/// Names the first statement that the engine refuses, or whose parameters it counts otherwise; or that inserts rows and
/// reads others.
pub async fn check_statements(store: &Store) -> Result<usize, String> {
    let mut connection = store.engine.writer().await.map_err(|error| error.to_string())?;
    let mut prepared = 0;
    let mut names = std::collections::HashSet::new();
    let kind = store.engine.kind();
    for statement in all().map(|statement| dialect::translated(kind, statement)) {
        // The writer gathers rows by the name of their statement.
        if !names.insert(statement.name) {
            return Err(format!("two statements are called {}", statement.name));
        }
        // Rows are written beside those of other tables, and do not see them.
        if statement.is_rows() && reads(statement.text) {
            return Err(format!("{} inserts rows and reads others", statement.name));
        }
        let expandable = statement.is_rows() || statement.has_list();
        for count in if expandable { &[1, 4][..] } else { &[1] } {
            let mut texts =
                vec![if expandable { statement.expand(*count) } else { statement.text.to_owned() }];
            if statement.is_rows() {
                texts.push(dialect::insert_rows(&connection, statement, *count));
            }
            if statement.name == "HEAD_VERSIONS" {
                texts.push(dialect::lock_rows(&store.engine, texts[0].clone()));
            }
            for text in texts {
                let named = parameters_named(&text);
                let counted =
                    connection.prepare(text).await.map_err(|error| format!("{}: {error}", statement.name))?;
                if counted != named {
                    return Err(format!(
                        "{}: names {named} parameters, the engine counts {counted}",
                        statement.name
                    ));
                }
                prepared += 1;
            }
        }
    }
    Ok(prepared)
}

/// A column of a table, in words that both engines share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SchemaColumn {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// `integer`, `text`, `bytes` or `boolean`.
    pub kind: String,
    /// Whether it may be null.
    pub nullable: bool,
}

const SQLITE_COLUMNS: &str = "SELECT m.name, c.name, lower(c.type), c.\"notnull\" = 0
    FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\'
        AND m.name NOT LIKE 'search\\_index%' ESCAPE '\\'";
const POSTGRES_COLUMNS: &str =
    "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'YES'
    FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name NOT LIKE '\\_sqlx%'
        AND table_name NOT LIKE 'search\\_index%'";

/// The tables and columns that the database has, sorted. The index of words is left out: it is the one table that
/// each engine has in its own way.
///
/// # Errors
/// If the database cannot be asked, or a column has a type that Parvis does not use.
pub async fn schema(store: &Store) -> Result<Vec<SchemaColumn>, StorageError> {
    let text = match &store.engine.pools {
        Pools::Sqlite { .. } => SQLITE_COLUMNS,
        Pools::Postgres(_) => POSTGRES_COLUMNS,
    };
    let rows = store.engine.writer().await?.fetch(text.to_owned(), Vec::new()).await?;
    let mut columns = Vec::with_capacity(rows.len());
    for row in rows {
        let kind = match row.text(2)?.as_str() {
            "integer" | "bigint" => "integer",
            "text" => "text",
            "blob" | "bytea" => "bytes",
            "boolean" => "boolean",
            other => return Err(StorageError::Corrupt(format!("a column of type {other}"))),
        };
        columns.push(SchemaColumn {
            table: row.text(0)?,
            column: row.text(1)?,
            kind: kind.to_owned(),
            nullable: row.bool(3)?,
        });
    }
    columns.sort();
    Ok(columns)
}

/// Marks the database as one that a newer Parvis has migrated. For tests of the refusal.
///
/// # Errors
/// If the database cannot be written.
pub async fn pretend_newer_schema(store: &Store) -> Result<(), StorageError> {
    let mut connection = store.engine.writer().await?;
    connection
        .raw(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             SELECT 9999, 'from the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        )
        .await
}

/// Makes an empty schema in a PostgreSQL database (`postgres://…`, without options), in place of one of that
/// name; gives the URL of a database that has only it. For tests.
///
/// # Errors
/// If the server cannot be reached or refuses.
pub async fn fresh_schema(server: &str, schema: &str) -> Result<String, StorageError> {
    use sqlx::{AssertSqlSafe, Connection as _};
    let mut connection = sqlx::PgConnection::connect(server).await?;
    for text in [format!("DROP SCHEMA IF EXISTS {schema} CASCADE"), format!("CREATE SCHEMA {schema}")] {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await?;
    }
    connection.close().await?;
    let separator = if server.contains('?') { '&' } else { '?' };
    Ok(format!("{server}{separator}options=-csearch_path%3D{schema}"))
}

/// Whether an insert of rows takes anything from a table.
fn reads(text: &str) -> bool {
    let text = text.replacen("FROM (VALUES {rows})", "", 1);
    let mut words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.any(|word| matches!(word, "FROM" | "JOIN" | "EXISTS"))
}

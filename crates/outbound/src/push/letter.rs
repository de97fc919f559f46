//! A mail of what somebody has missed, in their language. Pure.

use std::fmt::Write as _;

use parvis_peers::{Language, Mail, in_html};

use super::missed::{Missed, MissedRoom};

/// The words of a mail, `{}` being the organisation.
struct Words {
    subject: &'static str,
    why: &'static str,
    messages: &'static str,
    rooms: &'static str,
    invitations: &'static str,
    /// What a room is called that has no name.
    nameless: &'static str,
    invites: &'static str,
    stop: &'static str,
}

fn words(language: Language) -> Words {
    match language {
        Language::English => Words {
            subject: "Unread messages at {}",
            why: "There is something for you at {} that you have not read.",
            messages: "Unread messages",
            rooms: "In rooms",
            invitations: "Invitations",
            nameless: "A room without a name",
            invites: "invites you",
            stop: "Get no more such mails",
        },
        Language::French => Words {
            subject: "Messages non lus auprès de {}",
            why: "Il y a du nouveau pour vous auprès de {} que vous n'avez pas lu.",
            messages: "Messages non lus",
            rooms: "Nombre de salons",
            invitations: "Invitations",
            nameless: "Un salon sans nom",
            invites: "vous invite",
            stop: "Ne plus recevoir de tels courriels",
        },
        Language::German => Words {
            subject: "Ungelesene Nachrichten bei {}",
            why: "Bei {} gibt es Neues für Sie, das Sie noch nicht gelesen haben.",
            messages: "Ungelesene Nachrichten",
            rooms: "Anzahl der Räume",
            invitations: "Einladungen",
            nameless: "Ein Raum ohne Namen",
            invites: "lädt Sie ein",
            stop: "Keine solchen E-Mails mehr erhalten",
        },
        Language::Italian => Words {
            subject: "Messaggi non letti presso {}",
            why: "Presso {} ci sono novità per Lei che non ha ancora letto.",
            messages: "Messaggi non letti",
            rooms: "Numero di stanze",
            invitations: "Inviti",
            nameless: "Una stanza senza nome",
            invites: "La invita",
            stop: "Non ricevere più queste e-mail",
        },
    }
}

/// Writes a mail. `stop` is the link by which its reader gets no more of them.
pub(super) fn write(
    missed: &Missed,
    language: Language,
    organisation: &str,
    to: String,
    stop: String,
) -> Mail {
    let words = words(language);
    let why = words.why.replace("{}", organisation);
    let numbers: Vec<String> = [
        (words.messages, missed.messages),
        (words.rooms, missed.rooms),
        (words.invitations, missed.invitations),
    ]
    .into_iter()
    .filter(|(_, number)| *number > 0)
    .map(|(what, number)| format!("{what}: {number}"))
    .collect();
    let mut text = format!("{why}\n\n{}\n", numbers.join("\n"));
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\"></head><body>\n<p>{}</p>\n<p>{}</p>\n",
        language.code(),
        in_html(&why),
        numbers.iter().map(|line| in_html(line)).collect::<Vec<_>>().join("<br>\n"),
    );
    for room in &missed.named {
        add_room(&mut text, &mut html, room, &words);
    }
    // Writing into memory cannot fail.
    let _ = write!(text, "\n{}:\n{stop}\n", words.stop);
    let _ =
        write!(html, "<p><a href=\"{}\">{}</a></p>\n</body></html>\n", in_html(&stop), in_html(words.stop));
    Mail { to, subject: words.subject.replace("{}", organisation), text, html, stop: Some(stop) }
}

fn add_room(text: &mut String, html: &mut String, room: &MissedRoom, words: &Words) {
    let name = room.name.as_deref().unwrap_or(words.nameless);
    let senders = room.senders.join(", ");
    let what = match room.messages {
        0 => format!("{senders} {}", words.invites),
        messages => format!("{messages} ({senders})"),
    };
    let _ = write!(text, "\n{name}: {what}\n");
    let _ = write!(html, "<p><strong>{}</strong>: {}", in_html(name), in_html(&what));
    for (sender, quote) in &room.quotes {
        let _ = writeln!(text, "  {sender}: {quote}");
        let _ = write!(html, "<br>\n{}: {}", in_html(sender), in_html(quote));
    }
    html.push_str("</p>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_says_in_both_forms_what_it_may_and_how_to_stop_it() {
        let room = MissedRoom {
            name: Some("R & D".to_owned()),
            messages: 2,
            senders: vec!["Zoé <3".to_owned()],
            quotes: vec![("Zoé <3".to_owned(), "ça va ?".to_owned())],
        };
        let missed = Missed { messages: 2, rooms: 1, invitations: 0, named: vec![room] };
        let stop = "https://matrix.example.org/stop?token=1.abc".to_owned();
        let mail = write(&missed, Language::French, "Example & Co", "a@example.org".to_owned(), stop.clone());
        assert_eq!(mail.subject, "Messages non lus auprès de Example & Co");
        let expected = "Messages non lus: 2\nNombre de salons: 1\n\nR & D: 2 (Zoé <3)\n  Zoé <3: ça va ?\n";
        assert!(mail.text.contains(expected), "{}", mail.text);
        assert!(mail.html.contains("<strong>R &amp; D</strong>: 2 (Zoé &lt;3)<br>\nZoé &lt;3: ça va ?"));
        assert!(mail.text.contains(&stop) && mail.html.contains(&stop) && mail.stop == Some(stop));
        assert!(!mail.text.contains("Invitations"));
    }
}

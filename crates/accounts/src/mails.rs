//! What mails say, in each language. Knows nothing of how they are sent.

use parvis_peers::{Language, Mail, in_html as escaped};

use crate::settings::MailSettings;

/// What an address is proved for, and so what a mail asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressPurpose {
    /// Registering with it.
    Register,
    /// Adding it to one's account.
    Add,
    /// Getting a new password.
    ResetPassword,
}

/// The sentences of a mail, `{}` being the organisation.
struct Sentences {
    subject: &'static str,
    why: &'static str,
    button: &'static str,
    end: &'static str,
}

const END: [&str; 4] = [
    "The link is good for one hour and for one use. If you have not asked for this, ignore this mail: nothing happens then.",
    "Le lien est valable une heure et ne sert qu'une fois. Si vous n'avez rien demandé, ignorez ce message : il ne se passera rien.",
    "Der Link gilt eine Stunde lang und nur einmal. Falls Sie das nicht verlangt haben, beachten Sie diese Nachricht nicht: Dann geschieht nichts.",
    "Il link vale un'ora e si può usare una sola volta. Se non l'ha chiesto Lei, ignori questo messaggio: non succederà nulla.",
];

fn sentences(purpose: AddressPurpose, language: Language) -> Sentences {
    let (subject, why, button) = match (purpose, language) {
        (AddressPurpose::Register, Language::English) => (
            "Confirm your mail address for {}",
            "Somebody, most likely you, is making an account at {} with this mail address.",
            "Confirm the address",
        ),
        (AddressPurpose::Register, Language::French) => (
            "Confirmez votre adresse pour {}",
            "Quelqu'un, sans doute vous, crée un compte auprès de {} avec cette adresse.",
            "Confirmer l'adresse",
        ),
        (AddressPurpose::Register, Language::German) => (
            "Bestätigen Sie Ihre Adresse für {}",
            "Jemand, vermutlich Sie selbst, legt mit dieser Adresse ein Konto bei {} an.",
            "Adresse bestätigen",
        ),
        (AddressPurpose::Register, Language::Italian) => (
            "Confermi il Suo indirizzo per {}",
            "Qualcuno, probabilmente Lei, sta creando un account presso {} con questo indirizzo.",
            "Confermare l'indirizzo",
        ),
        (AddressPurpose::Add, Language::English) => (
            "Confirm your mail address for {}",
            "Somebody, most likely you, wants to add this mail address to their account at {}.",
            "Confirm the address",
        ),
        (AddressPurpose::Add, Language::French) => (
            "Confirmez votre adresse pour {}",
            "Quelqu'un, sans doute vous, veut ajouter cette adresse à son compte auprès de {}.",
            "Confirmer l'adresse",
        ),
        (AddressPurpose::Add, Language::German) => (
            "Bestätigen Sie Ihre Adresse für {}",
            "Jemand, vermutlich Sie selbst, möchte diese Adresse zum eigenen Konto bei {} hinzufügen.",
            "Adresse bestätigen",
        ),
        (AddressPurpose::Add, Language::Italian) => (
            "Confermi il Suo indirizzo per {}",
            "Qualcuno, probabilmente Lei, vuole aggiungere questo indirizzo al proprio account presso {}.",
            "Confermare l'indirizzo",
        ),
        (AddressPurpose::ResetPassword, Language::English) => (
            "A new password for {}",
            "Somebody, most likely you, wants a new password for the account at {} to which this address belongs.",
            "Allow a new password",
        ),
        (AddressPurpose::ResetPassword, Language::French) => (
            "Un nouveau mot de passe pour {}",
            "Quelqu'un, sans doute vous, veut un nouveau mot de passe pour le compte auprès de {} auquel appartient cette adresse.",
            "Autoriser un nouveau mot de passe",
        ),
        (AddressPurpose::ResetPassword, Language::German) => (
            "Ein neues Passwort für {}",
            "Jemand, vermutlich Sie selbst, möchte ein neues Passwort für das Konto bei {}, zu dem diese Adresse gehört.",
            "Neues Passwort erlauben",
        ),
        (AddressPurpose::ResetPassword, Language::Italian) => (
            "Una nuova password per {}",
            "Qualcuno, probabilmente Lei, vuole una nuova password per l'account presso {} al quale appartiene questo indirizzo.",
            "Permettere una nuova password",
        ),
    };
    let [english, french, german, italian] = END;
    let end = match language {
        Language::English => english,
        Language::French => french,
        Language::German => german,
        Language::Italian => italian,
    };
    Sentences { subject, why, button, end }
}

/// A mail with a link by which its reader agrees to something.
pub(crate) fn mail_with_link(
    purpose: AddressPurpose,
    language: Language,
    settings: &MailSettings,
    to: String,
    link: &str,
) -> Mail {
    let Sentences { subject, why, button, end } = sentences(purpose, language);
    let organisation = &settings.organisation;
    let (code, html) = (language.code(), |text: &str| escaped(&text.replace("{}", organisation)));
    Mail {
        to,
        subject: subject.replace("{}", organisation),
        text: format!("{}\n\n{button}:\n{link}\n\n{end}\n", why.replace("{}", organisation)),
        html: format!(
            "<!DOCTYPE html>\n<html lang=\"{code}\"><head><meta charset=\"utf-8\"></head><body>\n<p>{}</p>\n\
             <p><a href=\"{}\">{}</a></p>\n<p>{}</p>\n</body></html>\n",
            html(why),
            escaped(link),
            html(button),
            html(end),
        ),
        stop: None,
    }
}

/// What a browser is shown that follows the link in a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// A button: the link alone proves nothing, since programs follow links that look through mail.
    Ask,
    /// It is done.
    Done,
    /// The link is not good.
    Failed,
    /// A button to have no more mails sent of what was missed.
    AskStop,
    /// No more such mails are sent.
    Stopped,
}

/// A page in a language. Its button, if it has one, sends to the page's own URL what stands in it.
pub(crate) fn page(kind: PageKind, language: Language, organisation: &str) -> String {
    let sentence = match (kind, language) {
        (PageKind::Ask, Language::English) => "Do you confirm what you were asked in the mail?",
        (PageKind::Ask, Language::French) => "Confirmez-vous ce que le message vous demandait ?",
        (PageKind::Ask, Language::German) => "Bestätigen Sie, worum Sie in der Nachricht gebeten wurden?",
        (PageKind::Ask, Language::Italian) => "Conferma ciò che Le è stato chiesto nel messaggio?",
        (PageKind::Done, Language::English) => "Thank you. You can go back to your app now.",
        (PageKind::Done, Language::French) => {
            "Merci. Vous pouvez maintenant retourner dans votre application."
        }
        (PageKind::Done, Language::German) => "Danke. Sie können jetzt zu Ihrer App zurückkehren.",
        (PageKind::Done, Language::Italian) => "Grazie. Ora può tornare alla Sua app.",
        (PageKind::Failed, Language::English) => {
            "This link was used already, has expired, or was replaced by a newer one."
        }
        (PageKind::Failed, Language::French) => {
            "Ce lien a déjà servi, n'est plus valable ou a été remplacé par un plus récent."
        }
        (PageKind::Failed, Language::German) => {
            "Dieser Link wurde schon benutzt, ist abgelaufen oder durch einen neueren ersetzt worden."
        }
        (PageKind::Failed, Language::Italian) => {
            "Questo link è già stato usato, è scaduto o è stato sostituito da uno più recente."
        }
        (PageKind::AskStop, Language::English) => {
            "Shall no more mails be sent to you about messages that you have not read?"
        }
        (PageKind::AskStop, Language::French) => {
            "Ne plus recevoir de courriels au sujet des messages que vous n'avez pas lus ?"
        }
        (PageKind::AskStop, Language::German) => {
            "Möchten Sie keine E-Mails mehr über Nachrichten erhalten, die Sie nicht gelesen haben?"
        }
        (PageKind::AskStop, Language::Italian) => {
            "Non desidera più ricevere e-mail sui messaggi che non ha letto?"
        }
        (PageKind::Stopped, Language::English) => "You will get no more such mails.",
        (PageKind::Stopped, Language::French) => "Vous ne recevrez plus de tels courriels.",
        (PageKind::Stopped, Language::German) => "Sie erhalten keine solchen E-Mails mehr.",
        (PageKind::Stopped, Language::Italian) => "Non riceverà più queste e-mail.",
    };
    let button = match language {
        Language::English => "Confirm",
        Language::French => "Confirmer",
        Language::German => "Bestätigen",
        Language::Italian => "Confermare",
    };
    let form = match kind {
        PageKind::Ask | PageKind::AskStop => {
            format!("<form method=\"post\"><button type=\"submit\">{button}</button></form>\n")
        }
        PageKind::Done | PageKind::Failed | PageKind::Stopped => String::new(),
    };
    let (code, title) = (language.code(), escaped(organisation));
    format!(
        "<!DOCTYPE html>\n<html lang=\"{code}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title></head><body>\n\
         <h1>{title}</h1>\n<p>{}</p>\n{form}</body></html>\n",
        escaped(sentence),
    )
}

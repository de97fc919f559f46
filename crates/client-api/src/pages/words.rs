//! What the pages say, in each language.

use parvis_accounts::Language;

/// Declares the sentences: English, French, German, Italian.
macro_rules! words {
    ($($name:ident: $english:literal, $french:literal, $german:literal, $italian:literal;)+) => {
        /// What the pages say in one language.
        pub(crate) struct Words {
            /// The code of the language.
            pub(crate) code: &'static str,
            $(pub(crate) $name: &'static str,)+
        }
        const ENGLISH: Words = Words { code: "en", $($name: $english,)+ };
        const FRENCH: Words = Words { code: "fr", $($name: $french,)+ };
        const GERMAN: Words = Words { code: "de", $($name: $german,)+ };
        const ITALIAN: Words = Words { code: "it", $($name: $italian,)+ };
    };
}

words! {
    sign_in: "Sign in", "Se connecter", "Anmelden", "Accedere";
    sign_in_again: "Confirm that it is you", "Confirmez que c'est bien vous", "Bestätigen Sie, dass Sie es sind",
        "Confermi di essere Lei";
    signed_in_as: "Signed in as", "Connecté en tant que", "Angemeldet als", "Accesso effettuato come";
    sign_out: "Sign out", "Se déconnecter", "Abmelden", "Uscire";
    signed_out: "You are signed out of this browser. Your apps are not affected.",
        "Vous êtes déconnecté de ce navigateur. Vos applications ne sont pas concernées.",
        "Sie sind in diesem Browser abgemeldet. Ihre Apps sind davon nicht betroffen.",
        "È uscito da questo browser. Le Sue app non sono interessate.";
    user_name: "User name or mail address", "Nom d'utilisateur ou adresse électronique",
        "Benutzername oder Mailadresse", "Nome utente o indirizzo e-mail";
    new_user_name: "User name", "Nom d'utilisateur", "Benutzername", "Nome utente";
    password: "Password", "Mot de passe", "Passwort", "Password";
    password_again: "Password, once more", "Mot de passe, une seconde fois", "Passwort, noch einmal",
        "Password, ancora una volta";
    registration_token: "Registration code", "Code d'inscription", "Registrierungscode", "Codice di registrazione";
    create_account: "Create an account", "Créer un compte", "Konto erstellen", "Creare un account";
    wrong_password: "The name or the password is wrong.", "Le nom ou le mot de passe est incorrect.",
        "Der Name oder das Passwort ist falsch.", "Il nome o la password non è corretto.";
    locked: "This account is locked. Ask your administrators.",
        "Ce compte est verrouillé. Adressez-vous à vos administrateurs.",
        "Dieses Konto ist gesperrt. Wenden Sie sich an Ihre Administratoren.",
        "Questo account è bloccato. Si rivolga ai Suoi amministratori.";
    deactivated: "This account was closed.", "Ce compte a été fermé.", "Dieses Konto wurde geschlossen.",
        "Questo account è stato chiuso.";
    too_many: "There were too many attempts. Please wait a while and try again.",
        "Il y a eu trop de tentatives. Attendez un moment et réessayez.",
        "Es gab zu viele Versuche. Bitte warten Sie eine Weile und versuchen Sie es erneut.",
        "Ci sono stati troppi tentativi. Attenda un momento e riprovi.";
    failed: "Something went wrong on our side. Please try again later.",
        "Un problème est survenu de notre côté. Réessayez plus tard.",
        "Bei uns ist etwas schiefgegangen. Bitte versuchen Sie es später erneut.",
        "Qualcosa è andato storto da parte nostra. Riprovi più tardi.";
    sorry: "That did not work", "Cela n'a pas fonctionné", "Das hat nicht geklappt", "Non ha funzionato";
    bad_request: "This page was opened in a way that does not work. Go back to your app and begin again.",
        "Cette page a été ouverte d'une manière qui ne fonctionne pas. Retournez dans votre application et recommencez.",
        "Diese Seite wurde auf eine Weise geöffnet, die nicht funktioniert. Gehen Sie zurück zu Ihrer App und beginnen Sie neu.",
        "Questa pagina è stata aperta in un modo che non funziona. Torni alla Sua app e ricominci.";
    unsafe_app: "The app that sent you here is not known, or wants you to be sent to a place that it did not register. You are not sent on, for your safety. Begin again in your app.",
        "L'application qui vous a envoyé ici n'est pas connue, ou veut vous envoyer à une adresse qu'elle n'a pas enregistrée. Pour votre sécurité, vous n'êtes pas redirigé. Recommencez dans votre application.",
        "Die App, die Sie hierher geschickt hat, ist nicht bekannt oder will Sie an einen Ort schicken, den sie nicht angemeldet hat. Zu Ihrer Sicherheit werden Sie nicht weitergeleitet. Beginnen Sie in Ihrer App neu.",
        "L'app che L'ha inviata qui non è conosciuta, o vuole inviarla a un indirizzo che non ha registrato. Per la Sua sicurezza non viene reindirizzato. Ricominci nella Sua app.";
    form_expired: "This page was open for too long, or was opened in another browser. Go back, load it again and try once more. Your browser must allow cookies.",
        "Cette page est restée ouverte trop longtemps ou a été ouverte dans un autre navigateur. Revenez en arrière, rechargez-la et réessayez. Votre navigateur doit accepter les cookies.",
        "Diese Seite war zu lange offen oder wurde in einem anderen Browser geöffnet. Gehen Sie zurück, laden Sie sie neu und versuchen Sie es noch einmal. Ihr Browser muss Cookies erlauben.",
        "Questa pagina è rimasta aperta troppo a lungo o è stata aperta in un altro browser. Torni indietro, la ricarichi e riprovi. Il Suo browser deve accettare i cookie.";
    consent_title: "Let this app in?", "Autoriser cette application ?", "Diese App zulassen?", "Autorizzare questa app?";
    consent_text: "The app will be able to read and send messages in your name. Allow only an app that you opened yourself.",
        "L'application pourra lire et envoyer des messages en votre nom. N'autorisez qu'une application que vous avez ouverte vous-même.",
        "Die App kann dann in Ihrem Namen Nachrichten lesen und senden. Lassen Sie nur eine App zu, die Sie selbst geöffnet haben.",
        "L'app potrà leggere e inviare messaggi a Suo nome. Autorizzi solo un'app che ha aperto Lei stesso.";
    app: "App", "Application", "App", "App";
    your_account: "Your account", "Votre compte", "Ihr Konto", "Il Suo account";
    device: "Device", "Appareil", "Gerät", "Dispositivo";
    goes_to: "You will be sent back to", "Vous serez renvoyé vers", "Sie werden zurückgeschickt zu",
        "Sarà rinviato a";
    app_policy: "The app's privacy rules", "Confidentialité de l'application", "Datenschutz der App",
        "Privacy dell'app";
    app_terms: "The app's terms", "Conditions de l'application", "Bedingungen der App", "Condizioni dell'app";
    allow: "Allow", "Autoriser", "Zulassen", "Autorizzare";
    deny: "Refuse", "Refuser", "Ablehnen", "Rifiutare";
    other_account: "Use another account", "Utiliser un autre compte", "Anderes Konto verwenden",
        "Usare un altro account";
    sign_in_with: "Sign in with", "Se connecter avec", "Anmelden mit", "Accedere con";
    provider_not_begun: "This sign-in was not begun in this browser, took too long, or was used already. Begin again.",
        "Cette connexion n'a pas été commencée dans ce navigateur, a duré trop longtemps ou a déjà servi. Recommencez.",
        "Diese Anmeldung wurde nicht in diesem Browser begonnen, hat zu lange gedauert oder wurde schon benutzt. Beginnen Sie neu.",
        "Questo accesso non è stato iniziato in questo browser, è durato troppo o è già stato usato. Ricominci.";
    provider_denied: "Your organisation's sign-in did not let you in.",
        "Le service de connexion de votre organisation ne vous a pas laissé entrer.",
        "Die Anmeldung Ihrer Organisation hat Sie nicht zugelassen.",
        "Il servizio di accesso della Sua organizzazione non L'ha fatta entrare.";
    provider_not_believed: "What your organisation's sign-in says cannot be believed. Tell your administrators.",
        "Ce que dit le service de connexion de votre organisation n'est pas fiable. Prévenez vos administrateurs.",
        "Was die Anmeldung Ihrer Organisation sagt, ist nicht glaubwürdig. Sagen Sie es Ihren Administratoren.",
        "Ciò che dice il servizio di accesso della Sua organizzazione non è attendibile. Avvisi i Suoi amministratori.";
    provider_no_name: "Your organisation's sign-in does not say what your account is to be called. Tell your administrators.",
        "Le service de connexion de votre organisation ne dit pas comment nommer votre compte. Prévenez vos administrateurs.",
        "Die Anmeldung Ihrer Organisation sagt nicht, wie Ihr Konto heissen soll. Sagen Sie es Ihren Administratoren.",
        "Il servizio di accesso della Sua organizzazione non dice come chiamare il Suo account. Avvisi i Suoi amministratori.";
    provider_taken: "There is an account of your name already, which is not yours. Tell your administrators.",
        "Il existe déjà un compte à votre nom, qui n'est pas le vôtre. Prévenez vos administrateurs.",
        "Es gibt schon ein Konto Ihres Namens, das nicht Ihres ist. Sagen Sie es Ihren Administratoren.",
        "Esiste già un account con il Suo nome, che non è Suo. Avvisi i Suoi amministratori.";
    provider_no_account: "You have no account here. Ask your administrators for one.",
        "Vous n'avez pas de compte ici. Demandez-en un à vos administrateurs.",
        "Sie haben hier kein Konto. Bitten Sie Ihre Administratoren um eines.",
        "Non ha un account qui. Ne chieda uno ai Suoi amministratori.";
    provider_not_in_group: "Your organisation has not given you access to this service. Ask your administrators for it.",
        "Votre organisation ne vous a pas donné accès à ce service. Demandez-le à vos administrateurs.",
        "Ihre Organisation hat Ihnen keinen Zugang zu diesem Dienst gegeben. Bitten Sie Ihre Administratoren darum.",
        "La Sua organizzazione non Le ha dato accesso a questo servizio. Lo chieda ai Suoi amministratori.";
    provider_unreachable: "Your organisation's sign-in does not answer. Please try again later.",
        "Le service de connexion de votre organisation ne répond pas. Réessayez plus tard.",
        "Die Anmeldung Ihrer Organisation antwortet nicht. Bitte versuchen Sie es später erneut.",
        "Il servizio di accesso della Sua organizzazione non risponde. Riprovi più tardi.";
    charter_title: "Rules of use", "Règles d'utilisation", "Nutzungsregeln", "Regole d'uso";
    charter_text: "Please read and accept these rules. You are asked again only when they change.",
        "Veuillez lire et accepter ces règles. Elles ne vous seront redemandées que si elles changent.",
        "Bitte lesen und akzeptieren Sie diese Regeln. Sie werden erst wieder gefragt, wenn sie sich ändern.",
        "Legga e accetti queste regole. Le verranno richieste di nuovo solo se cambiano.";
    charter_accept: "I have read and accept:", "J'ai lu et j'accepte :", "Ich habe gelesen und akzeptiere:",
        "Ho letto e accetto:";
    charter_needed: "To go on, the rules must be accepted.", "Pour continuer, il faut accepter les règles.",
        "Um fortzufahren, müssen die Regeln akzeptiert werden.", "Per continuare occorre accettare le regole.";
    version: "version", "version", "Fassung", "versione";
    go_on: "Continue", "Continuer", "Weiter", "Continuare";
    back: "Back", "Retour", "Zurück", "Indietro";
    link_title: "Connect a device", "Connecter un appareil", "Gerät verbinden", "Collegare un dispositivo";
    link_text: "Type the code that your app shows on the other device.",
        "Saisissez le code que votre application affiche sur l'autre appareil.",
        "Geben Sie den Code ein, den Ihre App auf dem anderen Gerät zeigt.",
        "Inserisca il codice che la Sua app mostra sull'altro dispositivo.";
    code_of_app: "Code", "Code", "Code", "Codice";
    link_wrong: "This code is not good, or has expired.", "Ce code n'est pas valable ou a expiré.",
        "Dieser Code ist nicht gültig oder abgelaufen.", "Questo codice non è valido o è scaduto.";
    link_warning: "Did somebody send you this code or this link? Then refuse: they want to get into your account.",
        "Quelqu'un vous a-t-il envoyé ce code ou ce lien ? Alors refusez : on cherche à entrer dans votre compte.",
        "Hat Ihnen jemand diesen Code oder diesen Link geschickt? Dann lehnen Sie ab: Jemand will in Ihr Konto.",
        "Qualcuno Le ha inviato questo codice o questo link? Allora rifiuti: vogliono entrare nel Suo account.";
    link_done: "The app was let in. You can go back to it now.",
        "L'application est autorisée. Vous pouvez y retourner.",
        "Die App wurde zugelassen. Sie können jetzt zu ihr zurückkehren.",
        "L'app è autorizzata. Ora può tornarci.";
    link_denied: "The app was refused.", "L'application a été refusée.", "Die App wurde abgelehnt.",
        "L'app è stata rifiutata.";
    done: "Done", "C'est fait", "Erledigt", "Fatto";
    saved: "Saved.", "Enregistré.", "Gespeichert.", "Salvato.";
    device_ended: "The device is signed out.", "L'appareil est déconnecté.", "Das Gerät ist abgemeldet.",
        "Il dispositivo è stato disconnesso.";
    bad_display_name: "This name cannot be used.", "Ce nom ne peut pas être utilisé.",
        "Dieser Name kann nicht verwendet werden.", "Questo nome non può essere usato.";
    profile: "Profile", "Profil", "Profil", "Profilo";
    display_name: "Display name", "Nom affiché", "Anzeigename", "Nome visualizzato";
    save: "Save", "Enregistrer", "Speichern", "Salvare";
    managed: "Your organisation sets this.", "Votre organisation définit cela.", "Ihre Organisation legt dies fest.",
        "La Sua organizzazione lo stabilisce.";
    devices: "Devices", "Appareils", "Geräte", "Dispositivi";
    no_devices: "No device is signed in.", "Aucun appareil n'est connecté.", "Kein Gerät ist angemeldet.",
        "Nessun dispositivo è connesso.";
    no_such_device: "You have no such device.", "Vous n'avez pas d'appareil de ce nom.",
        "Sie haben kein solches Gerät.", "Non ha un tale dispositivo.";
    last_seen: "Last used", "Dernière utilisation", "Zuletzt benutzt", "Ultimo utilizzo";
    last_address: "From the address", "Depuis l'adresse", "Von der Adresse", "Dall'indirizzo";
    end_device: "Sign this device out", "Déconnecter cet appareil", "Dieses Gerät abmelden",
        "Disconnettere questo dispositivo";
    end_device_question: "Sign this device out?", "Déconnecter cet appareil ?", "Dieses Gerät abmelden?",
        "Disconnettere questo dispositivo?";
    end_device_text: "Encrypted messages that only this device can read are lost with it, unless they are backed up.",
        "Les messages chiffrés que seul cet appareil peut lire seront perdus, sauf s'ils sont sauvegardés.",
        "Verschlüsselte Nachrichten, die nur dieses Gerät lesen kann, gehen verloren, wenn sie nicht gesichert sind.",
        "I messaggi cifrati che solo questo dispositivo può leggere andranno persi, salvo che siano salvati.";
    more: "More", "Autres", "Weiteres", "Altro";
    reset_title: "Reset your digital identity", "Réinitialiser votre identité numérique",
        "Digitale Identität zurücksetzen", "Reimpostare la Sua identità digitale";
    reset_text: "If you have lost all devices and your recovery key, your app can make new keys for you. Others will have to verify you again, and old encrypted messages may be lost.",
        "Si vous avez perdu tous vos appareils et votre clé de récupération, votre application peut créer de nouvelles clés. Les autres devront vous vérifier à nouveau, et d'anciens messages chiffrés peuvent être perdus.",
        "Wenn Sie alle Geräte und Ihren Wiederherstellungsschlüssel verloren haben, kann Ihre App neue Schlüssel erzeugen. Andere müssen Sie dann neu verifizieren, und alte verschlüsselte Nachrichten können verloren sein.",
        "Se ha perso tutti i dispositivi e la chiave di recupero, la Sua app può creare nuove chiavi. Gli altri dovranno verificarla di nuovo e i vecchi messaggi cifrati potrebbero andare persi.";
    reset_warning: "Go on only if your app has asked you to, and you began this yourself.",
        "Ne continuez que si votre application vous l'a demandé et que vous avez commencé vous-même.",
        "Fahren Sie nur fort, wenn Ihre App Sie darum gebeten hat und Sie selbst damit begonnen haben.",
        "Continui solo se la Sua app glielo ha chiesto e ha iniziato Lei stesso.";
    reset_button: "Allow new keys", "Autoriser de nouvelles clés", "Neue Schlüssel erlauben",
        "Permettere nuove chiavi";
    reset_done: "For the next ten minutes your app may make new keys. Go back to it and continue there.",
        "Pendant les dix prochaines minutes, votre application peut créer de nouvelles clés. Retournez-y et continuez.",
        "In den nächsten zehn Minuten darf Ihre App neue Schlüssel erzeugen. Gehen Sie zu ihr zurück und fahren Sie dort fort.",
        "Per i prossimi dieci minuti la Sua app può creare nuove chiavi. Torni all'app e continui lì.";
    deactivate_title: "Close your account", "Fermer votre compte", "Konto schliessen", "Chiudere il Suo account";
    deactivate_text: "The account is closed for ever: you leave all rooms, all devices are signed out, and nobody can have the name again.",
        "Le compte est fermé pour toujours : vous quittez tous les salons, tous les appareils sont déconnectés, et personne ne pourra reprendre le nom.",
        "Das Konto wird für immer geschlossen: Sie verlassen alle Räume, alle Geräte werden abgemeldet, und niemand kann den Namen je wieder haben.",
        "L'account viene chiuso per sempre: lascia tutte le stanze, tutti i dispositivi vengono disconnessi e nessuno potrà più avere il nome.";
    deactivate_type: "To confirm, type", "Pour confirmer, saisissez", "Zur Bestätigung geben Sie ein:",
        "Per confermare, scriva";
    deactivate_wrong: "That is not the name of your account.", "Ce n'est pas le nom de votre compte.",
        "Das ist nicht der Name Ihres Kontos.", "Questo non è il nome del Suo account.";
    deactivate_erase: "Forget my messages as far as possible", "Oublier mes messages autant que possible",
        "Meine Nachrichten so weit wie möglich vergessen", "Dimenticare i miei messaggi per quanto possibile";
    deactivate_button: "Close my account for ever", "Fermer mon compte pour toujours",
        "Mein Konto für immer schliessen", "Chiudere il mio account per sempre";
    deactivate_done: "Your account is closed.", "Votre compte est fermé.", "Ihr Konto ist geschlossen.",
        "Il Suo account è chiuso.";
    name_taken: "This name is taken.", "Ce nom est déjà pris.", "Dieser Name ist vergeben.",
        "Questo nome è già preso.";
    bad_name: "A name is made of small letters a to z, digits, and . _ = / + - alone.",
        "Un nom se compose de lettres minuscules de a à z, de chiffres et de . _ = / + - uniquement.",
        "Ein Name besteht nur aus Kleinbuchstaben von a bis z, Ziffern und . _ = / + -.",
        "Un nome è composto solo da lettere minuscole da a a z, cifre e . _ = / + -.";
    weak_password: "This password is too weak: take a longer one, with letters, digits and signs.",
        "Ce mot de passe est trop faible : prenez-en un plus long, avec des lettres, des chiffres et des signes.",
        "Dieses Passwort ist zu schwach: Nehmen Sie ein längeres mit Buchstaben, Ziffern und Zeichen.",
        "Questa password è troppo debole: ne prenda una più lunga, con lettere, cifre e segni.";
    passwords_differ: "The two passwords differ.", "Les deux mots de passe diffèrent.",
        "Die beiden Passwörter sind verschieden.", "Le due password sono diverse.";
    wrong_token: "This registration code is not good.", "Ce code d'inscription n'est pas valable.",
        "Dieser Registrierungscode ist nicht gültig.", "Questo codice di registrazione non è valido.";
    closed: "Accounts are made by the administrators here.", "Ici, les comptes sont créés par les administrateurs.",
        "Konten werden hier von den Administratoren angelegt.", "Qui gli account sono creati dagli amministratori.";
}

impl Words {
    /// The sentences of a language.
    pub(crate) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::French => &FRENCH,
            Language::German => &GERMAN,
            Language::Italian => &ITALIAN,
        }
    }
}

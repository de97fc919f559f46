//! The words of which messages are made: what is sought, in all its forms; what is like it and is not meant; and what
//! else people say.

/// A language, and what is said in it.
pub(crate) struct Speech {
    /// Its code.
    pub(crate) language: &'static str,
    /// Sentences with gaps: `#` for a word of the filling, `@` for one that may be sought.
    pub(crate) sentences: &'static [&'static str],
    /// Words that nobody seeks, some of them much like those that are sought.
    pub(crate) filling: &'static str,
    /// Words that are sought.
    pub(crate) sought: &'static [Sought],
    /// Lines of old books, whose authors died long ago.
    pub(crate) lines: &'static [&'static str],
}

/// A word that is sought, in the forms in which it is said.
pub(crate) struct Sought {
    /// How it is asked for.
    pub(crate) asked: &'static str,
    /// In which forms it is said, all of which are meant.
    pub(crate) forms: &'static str,
}

const fn sought(asked: &'static str, forms: &'static str) -> Sought {
    Sought { asked, forms }
}

/// All that is said.
pub(crate) const SPEECHES: &[Speech] = &[FRENCH, GERMAN, ITALIAN, ENGLISH];

const FRENCH: Speech = Speech {
    language: "fr",
    sentences: &[
        "Bonjour, est-ce que tu as vu @ dans le # ?",
        "Je te parle de @ et du # demain matin.",
        "Nous avons discuté de @ avec les # hier.",
        "Merci pour le #, je regarde @ ce soir.",
        "Il faut que l'on prépare @ pour la # de lundi.",
        "Voici les # et @, dis-moi ce que tu en penses.",
        "La # n'est pas encore prête, mais @ oui.",
        "Qui s'occupe de @ pendant les # ?",
    ],
    filling: "maison bureau fenêtre voiture semaine matin café clé porte collègue message téléphone imprimante déjeuner \
        dossier salle chaise jardin route train billet hôtel cuisine table lampe papier stylo horloge couloir escalier \
        organe électron contenu comptoir élan présence facteur régulier appareil livreur formule signal factice \
        réunir annuaire votation congrès budgétaire candide rapporteur délégué",
    sought: &[
        sought("réunion", "réunion réunions reunion Réunions"),
        sought("factures", "facture factures Facture"),
        sought("presentes", "présenté présentés présentée présenter presenter"),
        sought("élève", "élève élèves eleves Élève"),
        sought("contrats", "contrat contrats Contrat"),
        sought("cheval", "cheval chevaux Chevaux"),
        sought("annulées", "annulé annulée annulés annuler"),
        sought("hopital", "hôpital hôpitaux Hôpital"),
        sought("évènement", "évènement évènements Évènements"),
        sought("livraison", "livraison livraisons"),
    ],
    lines: &[
        "La Cigale, ayant chanté tout l'été, se trouva fort dépourvue quand la bise fut venue.",
        "Maître Corbeau, sur un arbre perché, tenait en son bec un fromage.",
        "Rien ne sert de courir; il faut partir à point.",
        "Je pense, donc je suis.",
    ],
};

const GERMAN: Speech = Speech {
    language: "de",
    sentences: &[
        "Hallo, hast du @ in der # gesehen?",
        "Wir sprechen morgen mit dem # über @.",
        "Ich habe @ und die # gestern verschickt.",
        "Danke für den #, ich schaue @ heute noch an.",
        "Bitte bereite @ für die # am Montag vor.",
        "Hier sind die # und @, was meinst du dazu?",
        "Der # ist noch nicht fertig, aber @ schon.",
        "Wer kümmert sich um @, wenn die # da sind?",
    ],
    filling: "Fenster Büro Woche Morgen Kaffee Schlüssel Tür Kollege Nachricht Telefon Drucker Mittagessen Ordner Zimmer \
        Stuhl Garten Strasse Zug Fahrkarte Küche Tisch Lampe Papier Stift Uhr Gang Treppe Rechen Reich Vertreter Kunde \
        Hausrat Sitz Sitte Gras Gruppe Mühle Bucht Prüfling Kunst Liefer Zahn Messe Vereinssitzung Rechnungshof",
    sought: &[
        sought("Sitzung", "Sitzung Sitzungen sitzung"),
        sought("Vertrag", "Vertrag Verträge Verträgen Vertraege Vertrags"),
        sought("Haeuser", "Haus Häuser Häusern Hauses"),
        sought("Müller", "Müller Mueller Müllers"),
        sought("grusse", "Gruß Grüße Grüssen Gruesse"),
        sought("Rechnungen", "Rechnung Rechnungen"),
        sought("Prüfung", "Prüfung Prüfungen Pruefung"),
        sought("kündigen", "Kündigung kündigen Kündigungen"),
        sought("Lieferung", "Lieferung Lieferungen"),
        sought("Bücher", "Buch Bücher Büchern Buches"),
    ],
    lines: &[
        "Wer reitet so spät durch Nacht und Wind? Es ist der Vater mit seinem Kind.",
        "Ich weiß nicht, was soll es bedeuten, dass ich so traurig bin.",
        "Habe nun, ach! Philosophie, Juristerei und Medizin durchaus studiert.",
        "Über allen Gipfeln ist Ruh, in allen Wipfeln spürest du kaum einen Hauch.",
    ],
};

const ITALIAN: Speech = Speech {
    language: "it",
    sentences: &[
        "Ciao, hai visto @ nella #?",
        "Parliamo di @ e del # domani mattina.",
        "Abbiamo discusso di @ con i # ieri.",
        "Grazie per la #, guardo @ questa sera.",
        "Dobbiamo preparare @ per la # di lunedì.",
        "Ecco le # e @, dimmi che cosa ne pensi.",
        "La # non è ancora pronta, ma @ sì.",
        "Chi si occupa di @ quando ci sono le #?",
    ],
    filling: "casa ufficio finestra macchina settimana mattina caffè chiave porta collega messaggio telefono stampante \
        pranzo cartella stanza sedia giardino strada treno biglietto albergo cucina tavolo lampada carta penna orologio \
        corridoio scala contorno riunirsi fattoria cittadella lavagna ordine presente paghetta",
    sought: &[
        sought("riunioni", "riunione riunioni Riunione"),
        sought("contratto", "contratto contratti Contratti"),
        sought("citta", "città Città"),
        sought("fattura", "fattura fatture Fatture"),
        sought("lavoratori", "lavoratore lavoratori lavoratrice"),
        sought("pagamenti", "pagamento pagamenti"),
        sought("perche", "perché Perché"),
        sought("spedizione", "spedizione spedizioni"),
        sought("annullato", "annullato annullata annullati annullare"),
        sought("università", "università Università universita"),
    ],
    lines: &[
        "Nel mezzo del cammin di nostra vita mi ritrovai per una selva oscura.",
        "Lasciate ogni speranza, voi ch'intrate.",
        "Quel ramo del lago di Como, che volge a mezzogiorno, tra due catene non interrotte di monti.",
        "Voi ch'ascoltate in rime sparse il suono di quei sospiri.",
    ],
};

const ENGLISH: Speech = Speech {
    language: "en",
    sentences: &[
        "Hi, have you seen @ in the #?",
        "Let us talk about @ and the # tomorrow.",
        "We went through @ with the # yesterday.",
        "Thanks for the #, I will look at @ tonight.",
        "Could you prepare @ for the # on Monday?",
        "Here are the # and @, what do you think?",
        "The # is not ready yet, but @ is.",
        "Who takes care of @ while the # are away?",
    ],
    filling: "house office window car week morning coffee key door colleague message phone printer lunch folder room \
        chair garden road train ticket hotel kitchen table lamp paper pen clock hallway stairs meat metre invoke \
        contrast budgie paint cancer delicate examine bookie organ universe general station mess note rate",
    sought: &[
        sought("meetings", "meeting meetings Meeting"),
        sought("invoice", "invoice invoices Invoice"),
        sought("contract", "contract contracts Contracts"),
        sought("budgets", "budget budgets Budget"),
        sought("payments", "payment payments"),
        sought("cancelled", "cancelled cancel cancelling"),
        sought("delivery", "delivery deliveries"),
        sought("résumé", "resume résumé Résumé"),
        sought("books", "book books Book"),
        sought("organised", "organise organised organising organises"),
    ],
    lines: &[
        "Shall I compare thee to a summer's day? Thou art more lovely and more temperate.",
        "It is a truth universally acknowledged, that a single man must be in want of a wife.",
        "Call me Ishmael. Some years ago, never mind how long precisely.",
        "To be, or not to be, that is the question.",
    ],
};

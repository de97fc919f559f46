//! The figures, side by side.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

/// What was measured on an engine.
pub(crate) struct Measured {
    pub(crate) engine: String,
    pub(crate) messages: usize,
    pub(crate) text_bytes: usize,
    pub(crate) index_bytes: u64,
    pub(crate) filling: Duration,
    pub(crate) asked: Vec<Asked>,
}

/// What came of a question.
pub(crate) struct Asked {
    pub(crate) language: &'static str,
    pub(crate) asked: &'static str,
    /// How many messages are meant, were found, and are both.
    pub(crate) meant: usize,
    pub(crate) found: usize,
    pub(crate) right: usize,
    /// How long a first page took, by order.
    pub(crate) times: Vec<(&'static str, Duration)>,
    pub(crate) results: BTreeSet<String>,
}

impl Asked {
    fn precision(&self) -> f64 {
        self.right as f64 / (self.found.max(1)) as f64
    }

    fn recall(&self) -> f64 {
        self.right as f64 / (self.meant.max(1)) as f64
    }
}

/// The figures as Markdown.
pub(crate) fn write(measured: &[Measured]) -> String {
    let mut text = String::new();
    let row = |text: &mut String, cells: Vec<String>| {
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    let figure = |text: &mut String, name: &str, figure: &dyn Fn(&Measured) -> String| {
        row(text, std::iter::once(name.to_owned()).chain(measured.iter().map(figure)).collect());
    };
    figure(&mut text, "", &|measured| measured.engine.clone());
    figure(&mut text, "---", &|_| "---:".to_owned());
    figure(&mut text, "messages", &|measured| measured.messages.to_string());
    figure(&mut text, "text, MiB", &|measured| mebibytes(measured.text_bytes as f64));
    figure(&mut text, "index of words, MiB", &|measured| mebibytes(measured.index_bytes as f64));
    figure(&mut text, "filling the index, s", &|measured| format!("{:.1}", measured.filling.as_secs_f64()));
    figure(&mut text, "questions", &|measured| measured.asked.len().to_string());
    figure(&mut text, "precision, mean", &|measured| mean(&measured.asked, Asked::precision));
    figure(&mut text, "recall, mean", &|measured| mean(&measured.asked, Asked::recall));
    for order in ["recent", "rank"] {
        for percent in [50, 95] {
            let name = format!("first page by {order}, p{percent}, ms");
            figure(&mut text, &name, &|measured| percentile(&measured.asked, order, percent));
        }
    }
    let same = measured.windows(2).all(|pair| {
        let mut both = pair[0].asked.iter().zip(&pair[1].asked);
        both.all(|(one, other)| one.found == other.found && one.right == other.right)
    });
    let _ = writeln!(
        text,
        "\nThe engines {} as many messages for each question.\n",
        if same { "find" } else { "DO NOT find" }
    );
    let _ = writeln!(
        text,
        "| | asked | meant | found | right | precision | recall |\n|---|---|---:|---:|---:|---:|---:|"
    );
    for asked in measured.iter().take(1).flat_map(|measured| &measured.asked) {
        let counts = [asked.meant, asked.results.len(), asked.right].map(|count| count.to_string());
        let mut cells = vec![asked.language.to_owned(), asked.asked.to_owned()];
        cells.extend(counts);
        cells.extend([asked.precision(), asked.recall()].map(|share| format!("{share:.3}")));
        row(&mut text, cells);
    }
    text
}

fn mebibytes(bytes: f64) -> String {
    format!("{:.1}", bytes / f64::from(1 << 20))
}

fn mean(asked: &[Asked], share: impl Fn(&Asked) -> f64) -> String {
    format!("{:.3}", asked.iter().map(share).sum::<f64>() / asked.len().max(1) as f64)
}

fn percentile(asked: &[Asked], order: &str, percent: usize) -> String {
    let times = asked.iter().flat_map(|asked| &asked.times).filter(|time| time.0 == order);
    let mut times: Vec<Duration> = times.map(|time| time.1).collect();
    times.sort_unstable();
    let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(place).map_or("-".to_owned(), |time| format!("{:.1}", time.as_secs_f64() * 1_000.0))
}

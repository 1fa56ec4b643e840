//! The arithmetic of docs/cost.md: unit prices and counts, and the table that they make.

/// Hours of a month.
const HOURS: f64 = 730.0;

/// List prices in US dollars, with their grants.
mod price {
    pub(super) const GB_SECOND: f64 = 0.000_026;
    pub(super) const GB_SECONDS_FREE: f64 = 100_000.0;
    pub(super) const EXECUTION: f64 = 0.40 / 1e6;
    pub(super) const EXECUTIONS_FREE: f64 = 250_000.0;
    pub(super) const WRITE: f64 = 0.05 / 1e4;
    pub(super) const READ: f64 = 0.004 / 1e4;
    pub(super) const QUEUE: f64 = 0.004 / 1e4;
    pub(super) const INGESTED: f64 = 2.30;
    pub(super) const INGESTED_FREE: f64 = 5.0;
    pub(super) const VAULT: f64 = 0.03 / 1e4;
    pub(super) const ALERT_RULE: f64 = 0.50;
}

/// What is deployed and configured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) watches: f64,
    pub(crate) workspaces: f64,
    /// How often `tick` runs in an hour.
    pub(crate) ticks: f64,
    /// How often a rule is evaluated in an hour.
    pub(crate) evaluations: f64,
}

impl Shape {
    pub(crate) const fn new(watches: f64, workspaces: f64) -> Self {
        Self { watches, workspaces, ticks: 60.0, evaluations: 12.0 }
    }
}

/// A month's counts, and what they cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Month {
    gb_seconds: f64,
    executions: f64,
    listings: f64,
    writes: f64,
    reads: f64,
    host: f64,
    queues: f64,
    gb: f64,
    rules: f64,
}

/// What Key Vault costs a month, at most.
const VAULT: f64 = 10_000.0 * price::VAULT;

/// Alerts a month, each to one receiver.
const ALERTS: f64 = 300.0;

impl Month {
    pub(crate) fn of(shape: Shape) -> Self {
        let Shape { watches, workspaces, .. } = shape;
        let ticks = HOURS * shape.ticks;
        let due = HOURS * shape.ticks.min(shape.evaluations);
        let sweeps = (HOURS / 6.0).floor();
        let busy = (0.5 + (watches / 4.0).ceil()).max(1.0);
        // A tick: 2 listings, a read of each head, 1 write; a write more for each watch that is due, and for each sweep.
        // An alert: 1 read and 2 writes to commit, 3 reads and 2 writes to deliver.
        let kilobytes = ticks * (4.0 * (0.9 + 0.7) + 1.2) + due * workspaces * (0.9 + 0.7);
        Self {
            gb_seconds: 0.5 * (due * busy + (ticks - due) + ALERTS),
            executions: ticks + ALERTS,
            listings: 2.0 * ticks + 2.0 * sweeps,
            writes: ticks + watches * (due + sweeps) + 4.0 * ALERTS,
            reads: (watches + 1.0) * ticks + 4.0 * ALERTS,
            host: ticks * (6.0 * price::WRITE + 12.0 * price::READ),
            queues: 3.0 * (HOURS * 720.0 + ALERTS) * price::QUEUE,
            gb: kilobytes / 1e6,
            rules: (workspaces + 1.0) * price::ALERT_RULE,
        }
    }

    fn compute(&self) -> f64 {
        let seconds = (self.gb_seconds - price::GB_SECONDS_FREE).max(0.0) * price::GB_SECOND;
        let executions = (self.executions - price::EXECUTIONS_FREE).max(0.0) * price::EXECUTION;
        seconds + executions
    }

    fn compute_without_grant(&self) -> f64 {
        self.gb_seconds * price::GB_SECOND + self.executions * price::EXECUTION
    }

    fn state(&self) -> f64 {
        (self.listings + self.writes) * price::WRITE + self.reads * price::READ
    }

    fn lines(&self) -> f64 {
        (self.gb - price::INGESTED_FREE).max(0.0) * price::INGESTED
    }

    fn lines_without_grant(&self) -> f64 {
        self.gb * price::INGESTED
    }

    pub(crate) fn total(&self) -> f64 {
        let storage = self.state() + self.host + self.queues;
        self.compute() + storage + self.lines() + VAULT + self.rules
    }
}

/// The table of docs/cost.md.
pub(crate) fn table() -> String {
    let months = [(1.0, 1.0), (4.0, 1.0), (8.0, 1.0), (32.0, 4.0)]
        .map(|(watches, workspaces)| Month::of(Shape::new(watches, workspaces)));
    let mut rows = vec![
        "| a month | unit | 1 watch, 1 workspace | 4 watches (tutorial), 1 workspace | 8 watches, 1 workspace | 32 watches, 4 workspaces |".to_owned(),
        "|---|---|---|---|---|---|".to_owned(),
    ];
    let mut row = |name: &str, unit: &str, cell: &dyn Fn(&Month) -> String| {
        let cells: Vec<String> = months.iter().map(cell).collect();
        rows.push(format!("| {name} | {unit} | {} |", cells.join(" | ")));
    };
    row("execution", "GB-s", &|m| count(m.gb_seconds));
    row("executions", "number", &|m| count(m.executions));
    row("**compute**, inside the grant", "USD", &|m| cents(m.compute()));
    row("the same without the grant", "USD", &|m| cents(m.compute_without_grant()));
    row("state: listings", "requests", &|m| count(m.listings));
    row("state: writes", "requests", &|m| count(m.writes));
    row("state: reads", "requests", &|m| count(m.reads));
    row("**state**", "USD", &|m| cents(m.state()));
    row("**the host's own storage**", "USD", &|m| cents(m.host));
    row("**queues**, at most", "USD", &|m| cents(m.queues));
    row("log lines", "GB", &|m| cents(m.gb));
    row("**Application Insights**, inside the 5 GB", "USD", &|m| cents(m.lines()));
    row("the same when the 5 GB are used up", "USD", &|m| cents(m.lines_without_grant()));
    row("**Key Vault**", "USD", &|_| cents(VAULT));
    row("**alert rules** (one a workspace, one for errors)", "USD", &|m| cents(m.rules));
    row("**total**", "USD", &|m| cents(m.total()));
    row("total without grant and 5 GB", "USD", &|m| {
        cents(m.total() + m.compute_without_grant() + m.lines_without_grant())
    });
    rows.join("\n")
}

/// Sentences of docs/cost.md that have a figure in them.
pub(crate) fn sentences() -> Vec<String> {
    let eight = Shape::new(8.0, 1.0);
    let all = Month::of(eight).total();
    let saved = |shape: Shape| cents(all - Month::of(shape).total());
    vec![
        format!("| {} USD: 8,760 ticks instead of 43,800 |", saved(Shape { ticks: 12.0, ..eight })),
        format!("| {} USD | alerts come", saved(Shape { evaluations: 4.0, ..eight })),
        format!("| {} USD each | what they watch", saved(Shape { watches: 7.0, ..eight })),
        format!("| hsmwatch | {} | as above |", cents(all)),
        format!("= {} USD.", cents(Month::of(eight).state())),
        format!("**{} USD** a month, and about 0.01 a GB", cents(4.0 * 7.30 + 4.0 * 0.50)),
        format!(
            "{} USD where the 5 GB are used up",
            cents(43_800.0 * 64.0 / 1e6 * price::INGESTED)
        ),
    ]
}

fn cents(amount: f64) -> String {
    format!("{amount:.2}")
}

/// With commas.
fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

//! `neckar doctor`: where a running daemon loses flows, in plain words, and which knob to turn.
//!
//! In: its `/metrics`, twice, its `/healthz` and `/readyz`. Out: a line for each step of a flow's way,
//! below it what is wrong there. What can be wrong is two tables: [`losses`], each of which is a
//! count, and [`signs`], each of which is a sentence if it is so. Deliberately absent: looking at the
//! host by itself, for the daemon may be on another one.

mod client;
mod losses;
mod page;
mod report;
mod signs;
mod step;
#[cfg(test)]
mod tests;
mod visit;

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;

use crate::exit::{Exit, Failure, print};
use crate::replay::positive;
use client::Client;
use page::Page;
use report::Report;
use visit::{Visit, reasons};

/// Whom to look at, and how.
#[derive(Args, Clone, Debug)]
pub struct DoctorArgs {
    /// Where the daemon's pages are
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Seconds between the two looks
    #[arg(long, value_name = "N", default_value = "5", value_parser = positive)]
    pub seconds: f64,
    /// File with the token that the daemon wants (its http.token_file)
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    pub token_file: Option<PathBuf>,
    /// User of a password, if it wants one
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub user: Option<String>,
    /// File with the password
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// File with the authorities to trust for https, in PEM [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Looks twice, and says what is wrong.
///
/// # Errors
/// The daemon cannot be reached, or says something else than metrics.
pub fn run(args: &DoctorArgs) -> Result<Exit, Failure> {
    let visit = pay(&Client::new(args)?, Duration::from_secs_f64(args.seconds))?;
    let report = Report::of(&visit);
    let text = if args.json { report.json(&args.url) } else { report.text(&args.url) };
    print(&text)?;
    Ok(if report.is_losing() { Exit::Failed } else { Exit::Done })
}

fn pay(client: &Client, between: Duration) -> Result<Visit, Failure> {
    let before = metrics(client)?;
    let started = Instant::now();
    std::thread::sleep(between);
    let after = metrics(client)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Visit {
        before,
        after,
        seconds: started.elapsed().as_secs_f64(),
        now_s: since.as_secs_f64(),
        troubles: reasons(&client.get("/healthz")?.1),
        refusals: reasons(&client.get("/readyz")?.1),
    })
}

fn metrics(client: &Client) -> Result<Page, Failure> {
    let (status, body) = client.get("/metrics")?;
    let fix = match status {
        200 => "it is no page of neckard's",
        401 | 403 => "it wants --token-file, or --user and --password-file",
        _ => "is it neckard that listens there?",
    };
    let page = Page::read(&body).filter(|_| status == 200);
    let page = page.filter(|page| !page.samples("neckar_build_info").is_empty());
    page.ok_or_else(|| Failure::usage(format!("/metrics answers {status}: {fix}")))
}

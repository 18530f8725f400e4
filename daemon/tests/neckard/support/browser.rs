//! A real browser: Debian's chromium, driven through its chromedriver.
//!
//! WebDriver is JSON over HTTP, and half of what is needed here (the console, dark mode, the width of
//! a telephone) are commands of chromedriver's own; a client library would bring two dozen crates for
//! the rest.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::wait_until;

/// What is looked at for the whole of a test: nothing comes from elsewhere, nothing is left behind.
const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
];

/// How long the browser may take for one command.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser window. Closed when dropped.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    /// Keeps the window apart from everybody's.
    profile: PathBuf,
}

impl Browser {
    /// Opens one with an empty profile below `folder`.
    pub(crate) fn open(folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let driver = Command::new("/usr/bin/chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("apt-get install chromium chromium-driver");
        let profile = folder.join("profile");
        let mut browser = Self { driver, port, session: String::new(), profile };
        wait_until("chromedriver listens", Duration::from_secs(20), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let mut arguments = ARGUMENTS.map(String::from).to_vec();
        arguments.push(format!("--user-data-dir={}", browser.profile.display()));
        let wanted = json!({
            "browserName": "chrome", "acceptInsecureCerts": true,
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": "/usr/bin/chromium", "args": arguments},
        });
        let session = json!({"capabilities": {"alwaysMatch": wanted}});
        let session = browser.send("POST", "/session", &session).expect("chromium starts");
        browser.session = session["sessionId"].as_str().unwrap().to_string();
        browser
    }

    /// Goes there.
    pub(crate) fn go(&self, url: &str) {
        self.command("url", json!({"url": url}));
    }

    /// The value of a script's `return`.
    pub(crate) fn script(&self, script: &str) -> Value {
        self.command("execute/sync", json!({"script": script, "args": []}))
    }

    /// An expression's value as text.
    #[track_caller]
    pub(crate) fn text(&self, expression: &str) -> String {
        let value = self.script(&format!("return String({expression})"));
        value.as_str().unwrap().to_string()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn wait_for(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        wait_until(expression, Duration::from_secs(20), || self.script(&script) == true);
    }

    /// Types into whatever has the focus; see the `KEY_` constants for keys without a character.
    pub(crate) fn press(&self, keys: &str) {
        let strokes = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|way| json!({"type": way, "value": key.to_string()}))
        });
        let strokes: Vec<Value> = strokes.collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": strokes});
        self.command("actions", json!({"actions": [keyboard]}));
    }

    /// What the console has said since the last time: level and message.
    pub(crate) fn console(&self) -> Vec<String> {
        let lines = self.command("se/log", json!({"type": "browser"}));
        let lines = lines.as_array().unwrap().iter();
        lines.map(|line| format!("{}: {}", line["level"], line["message"])).collect()
    }

    /// Has the page believe that its reader prefers dark colours, or calm.
    pub(crate) fn prefer(&self, features: &[(&str, &str)]) {
        let features: Vec<Value> =
            features.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Makes the window that wide, as on a telephone.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": true});
        self.devtools("Emulation.setDeviceMetricsOverride", size);
    }

    /// Keeps a picture of the whole page.
    pub(crate) fn keep_picture(&self, file: &Path) {
        self.script("scrollTo({top: 0, behavior: 'instant'})");
        let size = self.script(
            "const page = document.documentElement; return [page.clientWidth, page.scrollHeight]",
        );
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1});
        let parameters = json!({"captureBeyondViewport": true, "clip": clip});
        let picture = self.devtools("Page.captureScreenshot", parameters);
        let bytes = BASE64.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }

    fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.command("goog/cdp/execute", json!({"cmd": command, "params": parameters}))
    }

    #[track_caller]
    fn command(&self, path: &str, body: Value) -> Value {
        let path = format!("/session/{}/{path}", self.session);
        self.send("POST", &path, &body).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The answer's value, or what went wrong in chromedriver's words.
    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(|e| e.to_string())?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.port,
            body.len(),
        );
        stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        write!(stream, "{head}{body}").map_err(|error| error.to_string())?;
        let text = read_body(stream).map_err(|error| error.to_string())?;
        let mut answer: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        match &answer["value"]["error"] {
            Value::String(error) => Err(format!("{error}: {}", answer["value"]["message"])),
            _ => Ok(answer["value"].take()),
        }
    }
}

/// The body of an answer. The connection stays open, whatever was asked for.
fn read_body(stream: TcpStream) -> std::io::Result<String> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or_default();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    String::from_utf8(body).map_err(std::io::Error::other)
}

impl Drop for Browser {
    fn drop(&mut self) {
        let path = format!("/session/{}", self.session);
        drop(self.send("DELETE", &path, &json!({})));
        drop(self.driver.kill());
        drop(self.driver.wait());
        drop(std::fs::remove_dir_all(&self.profile));
    }
}

/// Tab.
pub(crate) const KEY_TAB: &str = "\u{e004}";
/// Enter.
pub(crate) const KEY_ENTER: &str = "\u{e007}";
/// Arrow to the left.
pub(crate) const KEY_LEFT: &str = "\u{e012}";
/// Escape.
pub(crate) const KEY_ESCAPE: &str = "\u{e00c}";

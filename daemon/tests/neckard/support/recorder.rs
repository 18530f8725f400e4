//! A small HTTP server that keeps what it is sent and answers as it is told: stands in for servers
//! that Debian does not have.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// A header's value; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|header| header.0 == name).map_or("", |header| &header.1)
    }
}

/// Status line and further headers, each ended, for a request.
type Answer = Box<dyn Fn(&Request) -> &'static str + Send + Sync>;

/// The server. Its threads end with the process.
pub struct Recorder {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Recorder {
    /// Starts it; `tls` if it is to speak that.
    pub fn start(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Request) -> &'static str + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let (kept, answer): (_, Arc<Answer>) = (Arc::clone(&requests), Arc::new(Box::new(answer)));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, answer, tls) = (Arc::clone(&kept), Arc::clone(&answer), tls.clone());
                std::thread::spawn(move || match tls {
                    None => serve(stream, &kept, &answer),
                    Some(config) => {
                        let connection = ServerConnection::new(config).unwrap();
                        serve(StreamOwned::new(connection, stream), &kept, &answer);
                    }
                });
            }
        });
        Self { address, requests }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was sent so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// Request after request, until the client goes.
fn serve(stream: impl Read + Write, kept: &Mutex<Vec<Request>>, answer: &Answer) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        let answer = answer(&request);
        kept.lock().unwrap().push(request);
        let head = format!("HTTP/1.1 {answer}content-length: 0\r\n\r\n");
        if stream.get_mut().write_all(head.as_bytes()).is_err() {
            return;
        }
        let _ = stream.get_mut().flush();
    }
}

fn read(stream: &mut impl BufRead) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        line.strip_suffix("\r\n").map(str::to_string)
    };
    let target = line()?.split(' ').nth(1)?.to_string();
    let mut headers = Vec::new();
    while let Some((name, value)) = line()?.split_once(':') {
        headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
    }
    let mut request = Request { target, headers, body: Vec::new() };
    request.body = vec![0; request.header("content-length").parse().ok()?];
    stream.read_exact(&mut request.body).ok()?;
    Some(request)
}

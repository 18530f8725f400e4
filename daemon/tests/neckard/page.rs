//! The page in a real browser: what it says is what the counters say, and people with other eyes,
//! hands and screens get it, too. Pictures of it are left in `target/page/`.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::browser::{Browser, KEY_ENTER, KEY_ESCAPE, KEY_LEFT, KEY_TAB};
use crate::support::generator::Generator;
use crate::support::process::Neckard;
use crate::support::{scratch, wait_until};

/// Flows of the generator's routers, and of an exporter of the test's own.
const LOAD: u64 = 4000;
const OWN: u64 = 24;
/// Datagrams that are none of ours.
const JUNK: u64 = 3;
/// An interface's name as somebody would write it who means us ill.
const HOSTILE: &str = "<img src=x onerror=document.title='owned'>";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Where the pictures go.
fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../page")
}

/// A NetFlow v5 datagram of now: customer 1's flows from interface 1 to 2.
fn datagram() -> Vec<u8> {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as u32;
    let mut datagram = vec![0, 5, 0, OWN as u8, 0, 0, 0x10, 0];
    datagram.extend(now_s.to_be_bytes());
    datagram.resize(24, 0);
    for index in 0..OWN as u8 {
        let start = datagram.len();
        datagram.extend([10, 0, 1, 9, 198, 51, 100, index, 0, 0, 0, 0, 0, 1, 0, 2]);
        datagram.extend(1_u32.to_be_bytes());
        datagram.extend(100_u32.to_be_bytes());
        datagram.extend([0, 0, 0x0f, 0, 0, 0, 0x0f, 0xff, 0x30, 0x39, 1, 0xbb, 0, 0x10, 6, 0]);
        datagram.resize(start + 48, 0);
    }
    datagram
}

/// A daemon that writes files and knows a customer and an interface's name.
fn start(folder: &Path, settings: &[&str]) -> Neckard {
    std::fs::write(folder.join("customers.csv"), "10.0.1.0/24,1\n").unwrap();
    let interfaces = format!("exporter,ifindex,name\n127.0.0.1,1,{HOSTILE}\n");
    std::fs::write(folder.join("interfaces.csv"), interfaces).unwrap();
    let set = |key: &str, name: &str| format!("{key}={}", folder.join(name).display());
    let ours = [
        "output.kind=file".to_string(),
        set("output.file.directory", "flows"),
        set("enrich.customers", "customers.csv"),
        set("enrich.interfaces", "interfaces.csv"),
    ];
    let all: Vec<&str> = ours.iter().map(String::as_str).chain(settings.iter().copied()).collect();
    Neckard::start(&all)
}

/// Sends all there is and waits until the daemon is done with it.
fn send(neckard: &Neckard) -> u64 {
    let routers = Generator::start(neckard.udp(), "v5,v9,ipfix,sflow", LOAD, 4000);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(&datagram(), neckard.udp()).unwrap();
    for _ in 0..JUNK {
        socket.send_to(b"no flow protocol starts like this", neckard.udp()).unwrap();
    }
    let sent = routers.flows() + OWN;
    for metric in ["neckar_decode_flows_total", "neckar_output_delivered_total"] {
        wait_until(metric, Duration::from_secs(30), || neckard.metric(metric) == sent);
    }
    wait_until("all is counted", Duration::from_secs(30), || {
        neckard.metric("neckar_traffic_counted_total") == sent
    });
    sent
}

#[track_caller]
fn nothing_said(browser: &Browser) {
    assert_eq!(browser.console(), [] as [String; 0], "the console is silent");
}

#[test]
fn the_page_says_what_the_counters_say() {
    let folder = scratch("page");
    let neckard = start(&folder, &[]);
    let browser = Browser::open(&folder);
    browser.go(&format!("http://{}/", neckard.http()));
    let sent = send(&neckard);
    shows_the_counters(&browser, &neckard);
    shows_the_traffic(&browser, sent);
    searches(&browser);
    looks_up(&browser);
    nothing_said(&browser);
    shows_where_a_filter_is_wrong(&browser);
    browser.keep_picture(&pictures().join("light.png"));
    is_walked_by_keyboard(&browser);
    is_for_dark_rooms(&browser);
    browser.keep_picture(&pictures().join("dark.png"));
    browser.prefer(&[]);
    is_for_telephones(&browser);
    browser.keep_picture(&pictures().join("narrow.png"));
    nothing_said(&browser);
    assert_eq!(browser.text("document.title"), "Neckar", "nobody has run a script");
    neckard.kill();
    browser.wait_for("!document.getElementById('notice').hidden");
    assert!(
        browser.text("document.getElementById('notice').textContent").contains("No connection")
    );
    assert_eq!(browser.text("document.getElementById('state').textContent"), "no connection");
}

/// Every number of the pipeline's picture is the metric's, and so are the exporters' books.
fn shows_the_counters(browser: &Browser, neckard: &Neckard) {
    let shown = "Object.fromEntries([...document.querySelectorAll('[data-count]')]\
                 .map((one) => [one.dataset.count, Number(one.textContent.replaceAll(',', ''))]))";
    for (place, metric) in [
        ("receive", "neckar_receive_datagrams_total"),
        ("decode", "neckar_decode_flows_total"),
        ("label", "neckar_tables_prefixes"),
        ("batch", "neckar_flows_encoded_total"),
        ("output", "neckar_output_delivered_total"),
        ("traffic", "neckar_traffic_counted_total"),
    ] {
        // Each reaches the page with the next second's numbers, not all with the same.
        browser.wait_for(&format!("({shown}).{place} === {}", neckard.metric(metric)));
    }
    assert!(browser.text("document.getElementById('state').textContent").starts_with("running"));
    let lost = "document.querySelector('[data-loss=datagram_version_unknown]').textContent";
    assert_eq!(browser.text(lost), format!("▼ {JUNK}"));
    assert_eq!(neckard.metric("neckar_dropped_total"), JUNK);
    let marked = browser.text("document.querySelector('.at-decode .room-losses').textContent");
    assert!(marked.starts_with(&format!("▼ {JUNK} datagrams: not a flow protocol")), "{marked}");
    browser.wait_for("document.querySelector('#exporters-note').textContent.endsWith(' known')");
    let known = neckard.fetch("/api/exporters").1;
    let known: serde_json::Value = serde_json::from_str(&known).unwrap();
    let note = format!("{} known", known["known"]);
    browser
        .wait_for(&format!("document.querySelector('#exporters-note').textContent === '{note}'"));
    let own = "[...document.querySelectorAll('#exporter-table tbody tr')]\
               .find((row) => row.cells[0].textContent.trim() === 'Exporter 127.0.0.1' || \
               row.cells[0].textContent.trim() === '127.0.0.1')";
    browser.script("document.querySelector('#exporter-table th button').click()");
    browser.wait_for(own);
    assert_eq!(browser.text(&format!("{own}.cells[1].textContent")), "NetFlow v5");
    assert_eq!(browser.text(&format!("{own}.cells[3].textContent")), OWN.to_string());
}

/// Choosing what to count by changes the bars; together they are all that was sent.
fn shows_the_traffic(browser: &Browser, sent: u64) {
    let choose = |dimension: &str| {
        browser.script(&format!(
            "const form = document.getElementById('question');\
             form.elements.dimension.value = '{dimension}'; form.elements.measure.value = 'flows';\
             form.dispatchEvent(new Event('input', {{bubbles: true}}))"
        ));
        let answered =
            format!("dimension={dimension}&measure=flows&direction=all&tenant=&minutes=5");
        browser.wait_for(&format!(
            "document.getElementById('traffic').dataset.answered === '{answered}'"
        ));
    };
    choose("protocol");
    let values =
        "[...document.querySelectorAll('#talkers b')].map((one) => Number(one.dataset.value))";
    let sum = browser.text(&format!("{values}.reduce((all, one) => all + one, 0)"));
    assert_eq!(sum, sent.to_string(), "flows of all protocols");
    choose("interface");
    let names = browser.text("document.getElementById('talkers').textContent");
    assert!(names.contains(HOSTILE), "{names}");
    assert_eq!(browser.text("document.querySelectorAll('main img').length"), "0");
    choose("src_host");
}

fn searches(browser: &Browser) {
    browser.script("document.getElementById('filter').focus()");
    browser.press("src address 10.0.1.0/24 and dst port 443");
    browser.press(KEY_ENTER);
    let expected = format!("{OWN} of ");
    browser.wait_for(&format!(
        "document.getElementById('search-note').textContent.startsWith('{expected}')"
    ));
    let rows = "document.querySelectorAll('#found tbody tr')";
    assert_eq!(browser.text(&format!("{rows}.length")), OWN.to_string());
    let first = browser.text(&format!("{rows}[0].textContent"));
    for part in ["10.0.1.9:12345", "198.51.100.", ":443", "TCP https", "100 B", HOSTILE] {
        assert!(first.contains(part), "{part} in {first}");
    }
}

fn looks_up(browser: &Browser) {
    browser.script("document.getElementById('address').focus()");
    browser.press("10.0.1.9");
    browser.press(KEY_ENTER);
    let labels = "document.getElementById('labels').textContent";
    browser.wait_for(&format!("{labels}.includes('Cid')"));
    let labels = browser.text(labels);
    assert!(labels.contains("customers.csv") && labels.contains("10.0.1.0/24"), "{labels}");
    browser.script("document.querySelector('#labels button').click()");
    browser.wait_for("document.getElementById('filter').value === 'address 10.0.1.9'");
    let found =
        format!("document.getElementById('search-note').textContent.startsWith('{OWN} of ')");
    browser.wait_for(&found);
}

fn shows_where_a_filter_is_wrong(browser: &Browser) {
    browser.script(
        "const filter = document.getElementById('filter'); filter.value = ''; filter.focus()",
    );
    browser.press("proto tcp and prot udp");
    browser.press(KEY_ENTER);
    browser.wait_for("document.querySelector('#filter-error mark')");
    assert_eq!(browser.text("document.querySelector('#filter-error mark').dataset.at"), "14");
    let told = browser.text("document.getElementById('filter-error').textContent");
    let caret = format!("\n{}^ ", " ".repeat(14));
    assert!(told.contains(&caret) && told.contains("did you mean proto?"), "{told}");
    assert_eq!(browser.text("document.getElementById('filter').selectionStart"), "14");
    assert_eq!(
        browser.text("document.getElementById('filter').getAttribute('aria-invalid')"),
        "true"
    );
    // The answer's status is all that is said of it.
    let said = browser.console();
    assert!(said.len() == 1 && said[0].contains("status of 400"), "{said:?}");
}

/// Everything that can be clicked can be reached, is seen to be reached, and has a name.
fn is_walked_by_keyboard(browser: &Browser) {
    browser.script("document.activeElement.blur(); scrollTo(0, 0); document.body.focus()");
    browser.script(
        "window.walk = []; document.addEventListener('focusin', ({target}) => {\
           const shown = target.type === 'radio' ? target.nextElementSibling : target;\
           const style = getComputedStyle(shown);\
           const name = target.getAttribute('aria-label') ?? target.labels?.[0]?.textContent ?? \
             (target.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join('');\
           walk.push({id: target.id || target.name || target.textContent.trim(), \
             seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, \
             named: Boolean((name || target.textContent).trim())}) })",
    );
    // The search for where to begin starts at the top.
    browser.script("getSelection().removeAllRanges(); document.querySelector('.skip').focus(); document.querySelector('.skip').blur()");
    for _ in 0..90 {
        browser.press(KEY_TAB);
        if browser.script("return document.activeElement === document.body") == true {
            break;
        }
    }
    let walk = browser.script("return walk");
    let walk = walk.as_array().unwrap();
    let reached: Vec<&str> = walk.iter().map(|stop| stop["id"].as_str().unwrap()).collect();
    for wanted in [
        "range",
        "Pipeline",
        "charts",
        "dimension",
        "measure",
        "direction",
        "tenant",
        "Records",
        "filter",
        "seconds",
        "Search",
        "address",
        "Look up",
        "metrics",
    ] {
        assert!(reached.contains(&wanted), "{wanted} is reached: {reached:?}");
    }
    // The link that is blurred above is no stop of the walk.
    for stop in &walk[1..] {
        assert!(stop["seen"] == true && stop["named"] == true, "{stop}");
    }
    browser.script("document.getElementById('charts').focus()");
    browser.press(KEY_LEFT);
    let moment = "document.getElementById('moment').textContent";
    assert!(browser.text(moment).contains("decoded "), "the curves are read out");
    browser.press(KEY_ESCAPE);
    assert_eq!(browser.text(moment), "");
    browser.script("document.querySelector('.skip').focus()");
    browser.press(KEY_ENTER);
    browser.wait_for("document.activeElement.id === 'main'");
}

/// The contrast of an element's text with what is behind it (WCAG 2.2, 1.4.3).
const CONTRAST: &str = "const light = (colour) => { \
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((one) => one / 255)\
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));\
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };\
  const behind = (element) => { \
    for (let one = element; one; one = one.parentElement) {\
      const colour = getComputedStyle(one).backgroundColor;\
      if (!/, 0\\)$|^transparent$/.test(colour)) return colour; } };\
  return Object.fromEntries(['h2', '.quiet', '.facts', '.bar-value', 'form button', '.room h3', 'a[href=\"/metrics\"]'].map((selector) => {\
    const element = document.querySelector(selector);\
    const [one, other] = [light(getComputedStyle(element).color), light(behind(element))].sort();\
    return [selector, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)]; }))";

fn is_for_dark_rooms(browser: &Browser) {
    let legible = |mode: &str| {
        let contrasts = browser.script(CONTRAST);
        for (selector, contrast) in contrasts.as_object().unwrap() {
            assert!(contrast.as_f64().unwrap() >= 4.5, "{mode}: {selector} has {contrast}");
        }
    };
    let back = || browser.text("getComputedStyle(document.body).backgroundColor");
    let animation =
        "getComputedStyle(document.querySelector('.at-decode .arrow i'), '::before').animationName";
    legible("light");
    let light = back();
    browser.prefer(&[("prefers-color-scheme", "dark"), ("prefers-reduced-motion", "reduce")]);
    assert_ne!(back(), light, "dark is another colour");
    legible("dark");
    assert_eq!(browser.text(animation), "none", "nothing moves for who wants calm");
}

fn is_for_telephones(browser: &Browser) {
    browser.resize(360, 740);
    browser.wait_for("innerWidth === 360");
    browser.wait_for("document.querySelector('.chart').clientWidth < 360");
    assert_eq!(browser.text("document.documentElement.scrollWidth"), "360");
    let wide = "[...document.querySelectorAll('main *')]\
                .filter((one) => one.getBoundingClientRect().right > 360 && !one.closest('thead, svg'))\
                .map((one) => one.outerHTML.slice(0, 80))";
    assert_eq!(browser.text(&format!("{wide}.join('; ')")), "");
}

#[test]
fn who_has_the_token_comes_in_over_tls() {
    let folder = scratch("page-tls");
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_string()]).unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).display().to_string()
    };
    let certificate = format!("http.tls.certificate={}", file("page.pem", &made.cert.pem()));
    let key = format!("http.tls.key={}", file("page.key", &made.signing_key.serialize_pem()));
    let token = format!("http.token_file={}", file("token", TOKEN));
    let neckard = start(&folder, &[&certificate, &key, &token]);
    let browser = Browser::open(&folder);
    let address = neckard.http();
    browser.go(&format!("https://anybody:{TOKEN}@{address}/"));
    browser.wait_for("document.documentElement.dataset.second");
    browser.wait_for("document.getElementById('exporters-note').textContent !== ''");
    nothing_said(&browser);
    // The browser's own login apart, who shows nothing or something else sees nothing.
    let ask = |path: &str, shown: &str| {
        browser.script(&format!(
            "window.answer = undefined; fetch(new URL('{path}', location.origin), \
             {{credentials: 'omit', headers: {shown}}}).then((one) => {{ window.answer = one.status }})"
        ));
        browser.wait_for("window.answer");
        browser.text("window.answer")
    };
    let bearer = |token: &str| format!("{{Authorization: 'Bearer {token}'}}");
    assert_eq!(ask("/metrics", &bearer(TOKEN)), "200");
    assert_eq!(ask("/metrics", &bearer("0123456789abcdef")), "401");
    assert_eq!(ask("/api/exporters", "{}"), "401");
    assert_eq!(ask("/healthz", "{}"), "200");
}

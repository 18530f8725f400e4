//! A board as the JSON that Grafana imports: the classic model, which Grafana 10 and everything since
//! reads.

use serde_json::{Map, Value, json};

use super::{Board, Look, Panel, Query, Row, Unit, Variable};

/// The model's version: that of Grafana 12. Older ones take it; newer ones convert it.
const SCHEMA_VERSION: u32 = 41;
/// Columns of a board.
const COLUMNS: u32 = 24;
/// Where docs/ can be read: what Grafana itself serves, once they are there (deploy/README.md).
const DOCS: &str = "/public/neckar/docs";
/// Where panels ask: the choice at the top left.
const SOURCE: &str = "${datasource}";

/// The board.
#[must_use]
pub fn json(board: &Board) -> Value {
    json!({
        "uid": uid(board),
        "title": board.title,
        "description": board.about,
        "tags": ["neckar"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": board.refresh,
        "time": {"from": format!("now-{}", board.last), "to": "now"},
        "timepicker": {},
        "fiscalYearStartMonth": 0,
        "links": links(board.documents),
        "annotations": {"list": [restarts()]},
        "templating": {"list": variables(&board.variables)},
        "panels": panels(&board.rows),
    })
}

/// What Grafana knows the board by.
#[must_use]
pub fn uid(board: &Board) -> String {
    format!("neckar-{}", board.name)
}

/// The other boards, and documents.
fn links(documents: &[&str]) -> Vec<Value> {
    let boards = json!({
        "type": "dashboards", "tags": ["neckar"], "title": "Neckar", "asDropdown": true,
        "includeVars": false, "keepTime": true, "targetBlank": false, "icon": "external link",
        "tooltip": "Other boards of Neckar", "url": "",
    });
    let document = |name: &&str| {
        json!({
            "type": "link", "tags": [], "title": name, "asDropdown": false, "includeVars": false,
            "keepTime": false, "targetBlank": true, "icon": "doc",
            "tooltip": format!("docs/{name}"), "url": format!("${{docs}}/{name}"),
        })
    };
    std::iter::once(boards).chain(documents.iter().map(document)).collect()
}

fn source() -> Value {
    json!({"type": "prometheus", "uid": SOURCE})
}

/// A line wherever a daemon began: rates and tables start anew there.
fn restarts() -> Value {
    json!({
        "name": "Restarts", "enable": true, "hide": false, "iconColor": "orange",
        "datasource": source(),
        "expr": "resets(neckar_uptime_seconds[2m]) > 0",
        "step": "60s", "titleFormat": "neckard started", "textFormat": "{{instance}}",
    })
}

fn variables(choices: &[Variable]) -> Vec<Value> {
    let source_choice = json!({
        "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus",
        "hide": 0, "refresh": 1, "regex": "", "multi": false, "includeAll": false, "options": [],
    });
    let label_choice = |choice: &Variable| {
        let query = format!("label_values({}, {})", choice.metric, choice.label);
        json!({
            "name": choice.label, "label": choice.title, "type": "query",
            "datasource": source(),
            "definition": query,
            // 1: a query for values of a label.
            "query": {"query": query, "qryType": 1, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
            // 2: values come and go with the span of time that is shown.
            "hide": 0, "refresh": 2, "regex": "", "sort": 1, "multi": true, "options": [],
            // What has no such label is part of all.
            "includeAll": true, "allValue": ".*",
            "current": {"selected": true, "text": ["All"], "value": ["$__all"]},
        })
    };
    let docs = json!({
        "name": "docs", "label": "Where docs/ can be read", "type": "constant", "query": DOCS,
        // 2: not shown; changed in the board's settings.
        "hide": 2, "current": {"text": DOCS, "value": DOCS}, "options": [],
    });
    let labels = choices.iter().map(label_choice);
    std::iter::once(source_choice).chain(labels).chain(std::iter::once(docs)).collect()
}

/// Lays rows out from top to bottom and numbers everything. A closed row has its panels inside.
fn panels(rows: &[Row]) -> Vec<Value> {
    let mut out = Vec::new();
    let (mut y, mut id) = (0, 0);
    for row in rows {
        id += 1;
        let mut heading = json!({
            "id": id, "type": "row", "title": row.title, "collapsed": row.is_closed,
            "panels": [], "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
        });
        y += 1;
        let (inside, height) = lay_out(&row.panels, y, &mut id);
        if row.is_closed {
            heading["panels"] = inside.into();
            out.push(heading);
        } else {
            out.push(heading);
            out.extend(inside);
            y += height;
        }
    }
    out
}

/// Panels from line `top` on, and how many lines they take.
fn lay_out(panels: &[Panel], top: u32, id: &mut u32) -> (Vec<Value>, u32) {
    let (mut x, mut y, mut line_height) = (0, top, 0);
    let place = |panel: &Panel| {
        if x + panel.width > COLUMNS {
            (x, y, line_height) = (0, y + line_height, 0);
        }
        *id += 1;
        let place = json!({"x": x, "y": y, "w": panel.width, "h": panel.height});
        (x, line_height) = (x + panel.width, line_height.max(panel.height));
        panel_json(panel, *id, &place)
    };
    let placed = panels.iter().map(place).collect();
    (placed, y + line_height - top)
}

fn panel_json(panel: &Panel, id: u32, place: &Value) -> Value {
    let targets = panel.queries.iter().enumerate();
    let targets: Vec<Value> = targets.map(|(at, query)| target(panel.look, at, query)).collect();
    let mut out = json!({
        "id": id,
        "type": kind(panel.look),
        "title": panel.title,
        "description": panel.about,
        "datasource": source(),
        "gridPos": place,
        "targets": targets,
        "fieldConfig": {"defaults": field_defaults(panel), "overrides": []},
        "options": options(panel.look),
    });
    if panel.look == Look::Table {
        out["transformations"] = transformations(&panel.queries);
    }
    out
}

fn target(look: Look, at: usize, query: &Query) -> Value {
    let format = match look {
        Look::Table | Look::Map => "table",
        Look::Heat => "heatmap",
        _ => "time_series",
    };
    json!({
        "refId": ref_id(at).to_string(), "datasource": source(), "expr": query.expr, "legendFormat": query.legend,
        "editorMode": "code", "format": format,
        "instant": look.is_instant(), "range": !look.is_instant(),
    })
}

/// Grafana's name of the kind of panel.
fn kind(look: Look) -> &'static str {
    match look {
        Look::Lines | Look::Stack => "timeseries",
        Look::Stat => "stat",
        Look::Pie => "piechart",
        Look::Bars => "bargauge",
        Look::Table => "table",
        Look::Map => "geomap",
        Look::Heat => "heatmap",
    }
}

/// Grafana's name of the unit.
fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Bits => "bps",
        Unit::Bytes => "bytes",
        Unit::ByteRate => "Bps",
        Unit::Rate => "cps",
        Unit::Packets => "pps",
        Unit::Seconds => "s",
        Unit::Milliseconds => "ms",
        Unit::Microseconds => "µs",
        Unit::Share => "percentunit",
        Unit::Count | Unit::Up => "short",
        Unit::Megabits => "Mibits",
    }
}

fn field_defaults(panel: &Panel) -> Value {
    let mut defaults = json!({"unit": unit(panel.unit), "thresholds": thresholds(panel)});
    if panel.unit != Unit::Up {
        defaults["min"] = json!(0);
    } else {
        defaults["mappings"] = json!([{"type": "value", "options": {
            "0": {"text": "no", "index": 0}, "1": {"text": "yes", "index": 1},
        }}]);
    }
    defaults["color"] = match panel.look {
        // Thresholds decide.
        Look::Stat | Look::Bars if panel.is_loss || panel.unit == Unit::Up => {
            json!({"mode": "thresholds"})
        }
        Look::Stat => json!({"mode": "fixed", "fixedColor": "blue"}),
        // One hue from light to dark is told apart whatever the eye.
        Look::Bars | Look::Map => json!({"mode": "continuous-blues"}),
        _ => json!({"mode": "palette-classic"}),
    };
    if matches!(panel.look, Look::Lines | Look::Stack) {
        let stacking = if panel.look == Look::Stack { "normal" } else { "none" };
        defaults["custom"] = json!({
            "drawStyle": "line", "lineWidth": 1, "showPoints": "never", "spanNulls": false,
            "fillOpacity": if panel.look == Look::Stack { 60 } else { 8 },
            "stacking": {"mode": stacking, "group": "A"},
        });
    }
    defaults
}

fn thresholds(panel: &Panel) -> Value {
    let steps = match (panel.unit, panel.is_loss) {
        (Unit::Up, _) => json!([{"color": "red", "value": null}, {"color": "blue", "value": 1}]),
        // The smallest loss is one.
        (_, true) => {
            json!([{"color": "blue", "value": null}, {"color": "red", "value": 0.000_001}])
        }
        (_, false) => json!([{"color": "blue", "value": null}]),
    };
    json!({"mode": "absolute", "steps": steps})
}

fn options(look: Look) -> Value {
    let newest = json!({"calcs": ["lastNotNull"], "fields": "", "values": false});
    let legend = json!({
        "showLegend": true, "displayMode": "table", "placement": "bottom",
        "calcs": ["mean", "max"], "sortBy": "Mean", "sortDesc": true,
    });
    match look {
        Look::Lines | Look::Stack => {
            json!({"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}})
        }
        Look::Stat => json!({
            "reduceOptions": newest, "colorMode": "value", "graphMode": "none",
            "justifyMode": "auto", "orientation": "auto", "textMode": "auto", "wideLayout": true,
            "showPercentChange": false, "percentChangeColorMode": "standard",
        }),
        Look::Pie => json!({
            "reduceOptions": newest, "pieType": "donut", "displayLabels": [],
            "orientation": "auto", "sort": "desc",
            "legend": {"showLegend": true, "displayMode": "table", "placement": "right",
                "calcs": [], "values": ["value", "percent"]},
            "tooltip": {"mode": "single", "sort": "none"},
        }),
        Look::Bars => json!({
            "reduceOptions": newest, "displayMode": "basic", "orientation": "horizontal",
            "valueMode": "color", "showUnfilled": true, "sizing": "auto", "namePlacement": "auto",
            "minVizHeight": 16, "minVizWidth": 8, "maxVizHeight": 32,
            "legend": {"showLegend": false, "displayMode": "list", "placement": "bottom", "calcs": []},
        }),
        Look::Table => json!({"frameIndex": 0, "showHeader": true, "cellHeight": "sm"}),
        Look::Map => map_options(),
        Look::Heat => json!({
            "calculate": false, "cellGap": 1, "yAxis": {"axisPlacement": "left", "unit": "s"},
            "color": {"mode": "scheme", "scheme": "Blues", "steps": 64, "exponent": 0.5,
                "fill": "blue", "reverse": false},
            "legend": {"show": true}, "tooltip": {"mode": "single", "yHistogram": false, "showColorScale": true},
            "showValue": "never", "rowsFrame": {"layout": "auto"}, "filterValues": {"le": 1e-9},
            "exemplars": {"color": "orange"},
        }),
    }
}

/// Circles over countries, as large as their value.
fn map_options() -> Value {
    json!({
        "view": {"id": "zero", "lat": 20, "lon": 0, "zoom": 2, "allLayers": true},
        "basemap": {"type": "default", "name": "Map", "config": {}},
        "controls": {"showZoom": true, "mouseWheelZoom": false, "showAttribution": true,
            "showScale": false, "showMeasure": false, "showDebug": false},
        "tooltip": {"mode": "details"},
        "layers": [{
            "type": "markers", "name": "Countries", "tooltip": true,
            "location": {"mode": "lookup", "lookup": "remotecountry",
                "gazetteer": "public/gazetteer/countries.json"},
            "config": {"showLegend": false, "style": {
                "size": {"field": "Value", "fixed": 6, "min": 4, "max": 40},
                "color": {"field": "Value", "fixed": "blue"},
                "opacity": 0.6,
                "symbol": {"mode": "fixed", "fixed": "img/icons/marker/circle.svg"},
                "rotation": {"mode": "mod", "fixed": 0, "min": -360, "max": 360},
                "symbolAlign": {"horizontal": "center", "vertical": "center"},
                "textConfig": {"fontSize": 12, "offsetX": 0, "offsetY": 0, "textAlign": "center",
                    "textBaseline": "middle"},
            }},
        }],
    })
}

/// Answers of several queries, joined by what they have in common, a column named as its legend. The
/// clock is in every row and says nothing.
fn transformations(queries: &[Query]) -> Value {
    let hidden = ["Time", "__name__", "job"].map(|name| (name.to_string(), json!(true)));
    let hidden = Map::from_iter(hidden);
    let column = |at: usize| match queries.len() {
        1 => "Value".to_string(),
        _ => format!("Value #{}", ref_id(at)),
    };
    let names = queries.iter().enumerate().map(|(at, query)| (column(at), json!(query.legend)));
    let names = Map::from_iter(names);
    let columns = json!({"excludeByName": hidden, "indexByName": {}, "renameByName": names});
    json!([{"id": "merge", "options": {}}, {"id": "organize", "options": columns}])
}

/// What Grafana calls a panel's query by its place: A, B, C.
fn ref_id(at: usize) -> char {
    char::from(b'A' + at as u8)
}

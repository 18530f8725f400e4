//! What `--verbose` says of exporters: their accounts, and what each of their templates holds.

use std::fmt::Write;

use neckar_decode::{DomainView, ExporterView, FieldView, Shared, TemplateView};

/// Everything that was learnt of exporters, for people. Exporters by address, domains and templates by
/// number.
pub(super) fn describe(shared: &Shared) -> String {
    let mut out = String::new();
    let templates = shared.templates();
    for exporter in shared.exporters() {
        for domain in &exporter.domains {
            describe_domain(&exporter, domain, &mut out);
            let own = templates.iter().filter(|template| {
                (template.exporter, template.protocol, template.domain)
                    == (exporter.exporter, domain.protocol, domain.domain)
            });
            own.for_each(|template| describe_template(template, &mut out));
        }
    }
    out
}

/// Writing to a String cannot fail, here and below.
fn describe_domain(exporter: &ExporterView, domain: &DomainView, out: &mut String) {
    let totals = &domain.totals;
    let _ = write!(
        out,
        "{} {}, domain {}: {} datagrams, {} records, {} options records, {} missing in {} gaps",
        exporter.exporter,
        domain.protocol.name(),
        domain.domain,
        totals.datagrams,
        totals.records,
        totals.options_records,
        totals.missed.saturating_sub(totals.recovered),
        totals.gaps,
    );
    for (sampler, rate) in &domain.rates {
        let _ = match sampler {
            Some(sampler) => write!(out, ", sampler {sampler} takes 1 of {rate}"),
            None => write!(out, ", takes 1 of {rate}"),
        };
    }
    out.push('\n');
    for (id, sets) in &domain.missing {
        let _ = writeln!(out, "  template {id} never came: {sets} sets given up");
    }
}

fn describe_template(template: &TemplateView, out: &mut String) {
    let skipped = template.fields.iter().filter(|field| field.is_skipped()).count();
    let kind = if template.options { "options template" } else { "template" };
    let fields = template.fields.len();
    let _ = writeln!(out, "  {kind} {}: {fields} fields, {skipped} skipped", template.id);
    for (index, field) in template.fields.iter().enumerate() {
        let scope = template.options && index < template.scope;
        let _ = writeln!(out, "    {}", describe_field(field, scope));
    }
}

/// Number, name, length, and what becomes of it.
fn describe_field(field: &FieldView, scope: bool) -> String {
    let number = match field.enterprise {
        0 => field.element.to_string(),
        enterprise => format!("{enterprise}/{}", field.element),
    };
    let length = field.length.map_or("variable".into(), |length| format!("{length} B"));
    let fills: Vec<&str> = field.fills.iter().map(|field| field.name()).collect();
    let mut becomes = match (field.serves, fills.is_empty()) {
        (Some(serves), _) => serves.to_string(),
        (None, false) => fills.join(", "),
        (None, true) => "skipped".to_string(),
    };
    if field.reverse {
        becomes += " of the reverse flow";
    }
    if scope {
        becomes += " (scope)";
    }
    format!("{number:>10} {:<34} {length:>8}  {becomes}", field.name.unwrap_or("-"))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use neckar_decode::{Config, Datagram, Decoder};
    use neckar_proto::Rows;

    use super::*;

    /// Template 256: source address, an enterprise element, 9999 nobody knows, a text of any length.
    fn ipfix() -> Vec<u8> {
        let template: [&[u16]; 4] = [&[8, 4], &[0x8000 | 12, 2, 0, 9], &[9999, 1], &[371, 65535]];
        let mut set: Vec<u16> = vec![2, 0, 256, 4];
        set.extend(template.concat());
        set[1] = 2 * set.len() as u16;
        let mut message: Vec<u16> = vec![10, 0, 0x6553, 0xf100, 0, 0, 0, 5];
        message.extend(set);
        message[1] = 2 * message.len() as u16;
        message.into_iter().flat_map(u16::to_be_bytes).collect()
    }

    #[test]
    fn a_template_is_explained_field_by_field() {
        let config = Config::default();
        let shared = std::sync::Arc::new(Shared::new(config.clone()));
        let mut decoder = Decoder::new(config, std::sync::Arc::clone(&shared));
        let bytes = ipfix();
        let exporter = IpAddr::from([192, 0, 2, 1]);
        let received_ns = 1_700_000_000_000_000_000;
        let mut sink = |_: &mut Rows| {};
        decoder.decode(Datagram { exporter, port: 1, received_ns, bytes: &bytes }, &mut sink);
        decoder.expire(u64::MAX, &mut sink);
        let expected = "\
192.0.2.1 ipfix, domain 5: 1 datagrams, 0 records, 0 options records, 0 missing in 0 gaps
  template 256: 4 fields, 2 skipped
             8 sourceIPv4Address                       4 B  SrcAddr
          9/12 -                                       2 B  skipped
          9999 -                                       1 B  skipped
           371 userName                           variable  UserName
";
        assert_eq!(describe(&shared), expected);
    }
}

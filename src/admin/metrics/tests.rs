//! Which form is chosen, and what stands in it.

use super::*;

#[test]
fn the_form_is_what_the_reader_prefers() {
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for (accept, format) in [
        (prometheus, Format::OpenMetrics),
        ("application/openmetrics-text", Format::OpenMetrics),
        ("text/plain;version=0.0.4, application/openmetrics-text;q=0.5", Format::Prometheus),
        ("application/openmetrics-text; version=2.0.0", Format::Prometheus),
        ("application/openmetrics-text;q=0", Format::Prometheus),
        ("text/html, */*;q=0.8", Format::Prometheus),
        ("*/*", Format::Prometheus),
        ("", Format::Prometheus),
    ] {
        assert_eq!(format_for(accept), format, "{accept}");
    }
}

//! Lines to syslog's authpriv, where no PAM handle is. A log that is not there changes nothing; one that hangs holds us
//! up for two seconds, with nothing locked or undecided.
#![forbid(unsafe_code)]

use std::time::Duration;

use countersign::rules::audit::{Level, Line};
use syslog::{Facility, Formatter3164, LoggerBackend};

pub(crate) fn write(line: &Line) {
    let formatter = Formatter3164 {
        facility: Facility::LOG_AUTHPRIV,
        hostname: None,
        process: "countersign-setup".to_owned(),
        pid: std::process::id(),
    };
    let Ok(mut log) = syslog::unix(formatter) else { return };
    let patience = Some(Duration::from_secs(2));
    let _ = match &log.backend {
        LoggerBackend::Unix(socket) => socket.set_write_timeout(patience),
        LoggerBackend::UnixStream(stream) => stream.get_ref().set_write_timeout(patience),
        LoggerBackend::Udp(..) | LoggerBackend::Tcp(_) => Ok(()),
    };
    let _ = match line.level {
        Level::Error => log.err(&line.text),
        Level::Notice => log.notice(&line.text),
        Level::Info => log.info(&line.text),
        Level::Debug => log.debug(&line.text),
    };
}

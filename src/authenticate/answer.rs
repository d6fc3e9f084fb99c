//! The answer: judged, told, logged, and turned into what the host is told.
#![forbid(unsafe_code)]

use super::host::{Answer, Host, Outcome};
use super::login::{Asked, Login};
use crate::rules::audit::{Event, Holder, Level, Method};
use crate::rules::code::{self, Typed};
use crate::rules::judge::{Finding, Verdict};
use crate::store::{Folder, Lack, Part, Store, Trouble};
use crate::sys::{Account, DatabaseFailed};
use crate::verify::{self, Checked, Question};
use crate::words::{self, Message};

/// Why an answer has no verdict.
enum NotVerified {
    Trouble(Trouble),
    Database(DatabaseFailed),
}

impl From<Trouble> for NotVerified {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl<H: Host> Login<'_, H> {
    /// Malformed is refused in every state; what has the form of a code goes to the record, if there is one.
    pub(super) fn answered(&mut self, asked: &Asked, answer: Option<Answer>) -> Outcome {
        let answer = answer.unwrap_or_default();
        let typed = code::read(&answer);
        // sshd's password method answers every question with the password: never a code, whatever its form.
        if self.host.is_password(&answer) || matches!(typed, Typed::Malformed) {
            return self.malformed();
        }
        match asked {
            // Said to whoever is asked, so that it tells nobody who is enrolled.
            Asked::Nobody { .. } if matches!(typed, Typed::Typo) => self.typo(),
            Asked::Enrolled { account, .. } => match self.verified(account, &answer) {
                Ok(checked) => self.checked(checked),
                Err(NotVerified::Trouble(trouble)) => self.trouble(&trouble),
                Err(NotVerified::Database(failed)) => {
                    self.host.tell(&words::message(Message::StoreUnavailable));
                    self.no_database(failed)
                }
            },
            Asked::Nobody { reason } => {
                self.log(&Event::NotEnrolled { reason });
                self.refused(Message::NotAccepted)
            }
            Asked::Trouble(trouble) => self.trouble(trouble),
        }
    }

    /// A record made for another name is looked into once: the recorded name may be the same account's.
    fn verified(&mut self, account: &Account, answer: &[u8]) -> Result<Checked, NotVerified> {
        // Opened anew: while a person thinks, another store can have been mounted or restored there.
        let store = Store::new(Folder::open(&self.config.store)?);
        let trouble = match self.verify(&store, account.uid, &[&account.name], answer) {
            Ok(checked) => return Ok(checked),
            Err(trouble) => trouble,
        };
        let look_up = |name: &str| self.host.account(name).map(|found| found.map(|same| same.uid)).map_err(NotVerified::Database);
        match verify::other_spelling(&trouble, account.uid, look_up)? {
            Some(recorded) => Ok(self.verify(&store, account.uid, &[&account.name, &recorded], answer)?),
            None => Err(trouble.into()),
        }
    }

    fn verify(&self, store: &Store<Folder>, uid: u32, names: &[&str], answer: &[u8]) -> Result<Checked, Trouble> {
        let question = Question {
            uid,
            names,
            lane: self.lane,
            from: self.source(),
            window: self.config.window,
            shows_notices: !self.host.is_silent(),
        };
        verify::verify(store, &question, code::read(answer), || self.host.now())
    }

    fn checked(&mut self, checked: Checked) -> Outcome {
        match checked {
            Checked::Settled { verdict, bad_slot } => {
                if let Some(path) = bad_slot {
                    self.log(&Event::Noted { level: Level::Notice, reason: "bad_slot", path: Some(&path), found: None });
                }
                self.settled(&verdict)
            }
            Checked::Typo => self.typo(),
            Checked::Malformed => self.malformed(),
        }
    }

    fn typo(&mut self) -> Outcome {
        self.log(&Event::NotCounted { reason: "typo", method: Some(Method::Recovery) });
        self.refused(Message::Typo)
    }

    fn malformed(&mut self) -> Outcome {
        self.log(&Event::NotCounted { reason: "malformed", method: None });
        self.refused(Message::Malformed)
    }

    fn refused(&mut self, message: Message) -> Outcome {
        self.host.tell(&words::message(message));
        Outcome::Refused
    }

    /// The one place that lets in: a verdict is here only when its journal is on disk.
    fn settled(&mut self, verdict: &Verdict) -> Outcome {
        self.log(&verdict.event());
        let now = self.host.now();
        self.refused(match &verdict.finding {
            Finding::Accepted(accepted) => {
                if let Some(notices) = words::notices(&accepted.notices) {
                    self.host.tell(&notices);
                }
                return Outcome::LetIn;
            }
            Finding::Wrong(_) => Message::NotAccepted,
            Finding::Replay(Method::Totp) => Message::CodeUsed,
            Finding::Replay(Method::Recovery | Method::Rescue) => Message::RecoveryCodeUsed,
            Finding::ClockBehind => Message::ClockBehind { now },
            Finding::Waiting { until } | Finding::Spent { until } => Message::Wait { seconds: until.saturating_sub(now) },
            Finding::Stopped { .. } => Message::Stopped,
        })
    }

    /// Nothing is accepted and nothing is told of what the answer was.
    fn trouble(&mut self, trouble: &Trouble) -> Outcome {
        match trouble {
            Trouble::Busy { holder } => {
                let holder = holder.as_ref().map(|holder| Holder { pid: holder.pid, uid: holder.real_uid });
                self.log(&Event::Busy { holder });
                return self.refused(Message::Busy);
            }
            Trouble::NotEnrolled => {
                self.log(&Event::NotEnrolled { reason: "unenrolled" });
                return self.refused(Message::NotAccepted);
            }
            Trouble::OutOfMemory => {
                self.log(&fault("memory", None, None, None, None));
                return Outcome::OutOfMemory;
            }
            other => self.log_fault(other),
        }
        self.host.tell(&words::message(match trouble {
            Trouble::OtherName { .. } => Message::OtherName,
            _ => Message::StoreUnavailable,
        }));
        Outcome::Unavailable
    }

    fn log_fault(&mut self, trouble: &Trouble) {
        let user = self.user_in_commands();
        let doctor = "countersign-setup doctor";
        let (unlock, reset) = (format!("countersign-setup unlock {user}"), format!("countersign-setup reset {user}"));
        let adopt = format!("countersign-setup adopt {user}, or {reset}");
        let restore = format!("restore it from a backup, or {reset}");
        let guard = match trouble {
            Trouble::NoStore { lack: Lack::Guard { found, wanted }, .. } | Trouble::BadFile { found, wanted, .. } => {
                format!("{found}, wanted {wanted}")
            }
            _ => String::new(),
        };
        self.log(&match trouble {
            Trouble::NoStore { path, lack: Lack::Folder(errno) } => {
                fault("store_unavailable", Some(path), None, Some(*errno), Some(doctor))
            }
            Trouble::NoStore { path, lack: Lack::Guard { .. } } | Trouble::BadFile { path, .. } => {
                fault("store_unavailable", Some(path), Some(&guard), None, Some(doctor))
            }
            Trouble::NoStore { path, lack: Lack::Marker } => fault("store_unavailable", Some(path), Some("no marker"), None, Some(doctor)),
            Trouble::CantRead { path, errno } => fault("store_unavailable", Some(path), None, Some(*errno), Some(doctor)),
            Trouble::Damaged { part: Part::Journal, path, .. } => fault("damaged", Some(path), None, None, Some(&unlock)),
            Trouble::Damaged { part: Part::Record, path, key } => fault("damaged", Some(path), key.as_deref(), None, Some(&reset)),
            Trouble::NoJournal { path } => fault("damaged", Some(path), Some("nothing"), None, Some(&unlock)),
            Trouble::Lost { path } => fault("damaged", Some(path), Some("nothing"), None, Some(&restore)),
            Trouble::Newer { path } => {
                let found = "written by a newer Countersign";
                fault("newer_format", Some(path), Some(found), None, Some("install the newer Countersign"))
            }
            Trouble::OtherName { recorded } => fault("other_name", None, Some(recorded), None, Some(&adopt)),
            Trouble::NotWritten { path, errno } => fault("not_written", Some(path), None, Some(*errno), None),
            Trouble::NotEnrolled | Trouble::Enrolled | Trouble::Changed | Trouble::Busy { .. } | Trouble::OutOfMemory => {
                fault("unforeseen", None, None, None, None)
            }
        });
    }
}

fn fault<'a>(reason: &'static str, path: Option<&'a str>, found: Option<&'a str>, errno: Option<i32>, next: Option<&'a str>) -> Event<'a> {
    Event::Failed { reason, path, found, errno, next }
}

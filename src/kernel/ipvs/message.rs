//! One IPVS message: a command and its attributes, behind a generic netlink header.
//!
//! ```text
//! nlmsghdr 16   length u32 · type u16 (family id) · flags u16 · sequence u32 · port u32
//! genlmsghdr 4  command u8 · version u8 · 0 u16
//! attributes    length u16 · type u16 · value · padding to 4, one after the other
//! ```

use std::borrow::Cow;

use netlink_packet_generic::GenlHeader;

use super::attr::{self, Attributes, CmdAttr, Malformed, Nested};
use super::consts::*;

/// `NLMSG_HDRLEN` (linux/netlink.h) and `GENL_HDRLEN` (linux/genetlink.h).
pub const NLMSG_HDRLEN: usize = 16;
pub const GENL_HDRLEN: usize = 4;

macro_rules! commands {
    ($($variant:ident = $constant:ident,)*) => {
        /// All commands, in the header's order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Command {
            $(#[doc = concat!("`", stringify!($constant), "`")] $variant,)*
        }

        impl Command {
            pub const ALL: [Command; 17] = [$(Command::$variant),*];

            pub fn number(self) -> u8 {
                match self {
                    $(Command::$variant => $constant,)*
                }
            }

            /// The kernel's name, for messages.
            pub fn name(self) -> &'static str {
                match self {
                    $(Command::$variant => stringify!($constant),)*
                }
            }

            pub fn from_number(number: u8) -> Option<Command> {
                match number {
                    $($constant => Some(Command::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

commands! {
    NewService = IPVS_CMD_NEW_SERVICE,
    SetService = IPVS_CMD_SET_SERVICE,
    DelService = IPVS_CMD_DEL_SERVICE,
    GetService = IPVS_CMD_GET_SERVICE,
    NewDest = IPVS_CMD_NEW_DEST,
    SetDest = IPVS_CMD_SET_DEST,
    DelDest = IPVS_CMD_DEL_DEST,
    GetDest = IPVS_CMD_GET_DEST,
    NewDaemon = IPVS_CMD_NEW_DAEMON,
    DelDaemon = IPVS_CMD_DEL_DAEMON,
    GetDaemon = IPVS_CMD_GET_DAEMON,
    SetConfig = IPVS_CMD_SET_CONFIG,
    GetConfig = IPVS_CMD_GET_CONFIG,
    SetInfo = IPVS_CMD_SET_INFO,
    GetInfo = IPVS_CMD_GET_INFO,
    Zero = IPVS_CMD_ZERO,
    Flush = IPVS_CMD_FLUSH,
}

/// A command and its attributes, these still encoded; borrowed from the buffer they were read from or built in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub command: Command,
    pub attrs: Cow<'a, [u8]>,
}

impl<'a> Message<'a> {
    /// From what follows the netlink header. A command that is not in the header of today is an error: nobody asked.
    pub fn read(payload: &'a [u8]) -> Result<Message<'a>, Malformed> {
        let header = GenlHeader::parse(payload).map_err(|error| Malformed::Frame(error.to_string()))?;
        let attrs = payload.get(GENL_HDRLEN..).unwrap_or_default();
        Ok(Message { command: command(header)?, attrs: Cow::Borrowed(attrs) })
    }

    /// The outermost attributes. Not for [`Command::SetInfo`], whose numbers mean something else.
    pub fn attrs(&self) -> Attributes<'_, CmdAttr<'_>> {
        attr::read(&self.attrs)
    }

    /// The nest `IPVS_CMD_ATTR_SERVICE`.
    pub fn service(&self) -> Result<Nested<'_>, Malformed> {
        self.nest("IPVS_CMD_ATTR_SERVICE", |attr| match attr {
            CmdAttr::Service(nest) => Some(nest),
            _ => None,
        })
    }

    /// The nest `IPVS_CMD_ATTR_DEST`.
    pub fn dest(&self) -> Result<Nested<'_>, Malformed> {
        self.nest("IPVS_CMD_ATTR_DEST", |attr| match attr {
            CmdAttr::Dest(nest) => Some(nest),
            _ => None,
        })
    }

    /// The nest `IPVS_CMD_ATTR_DAEMON`.
    pub fn daemon(&self) -> Result<Nested<'_>, Malformed> {
        self.nest("IPVS_CMD_ATTR_DAEMON", |attr| match attr {
            CmdAttr::Daemon(nest) => Some(nest),
            _ => None,
        })
    }

    fn nest<'m>(
        &'m self,
        name: &'static str,
        pick: impl Fn(CmdAttr<'m>) -> Option<Nested<'m>>,
    ) -> Result<Nested<'m>, Malformed> {
        for attr in attr::read::<CmdAttr<'m>>(&self.attrs) {
            if let Some(nest) = pick(attr?) {
                return Ok(nest);
            }
        }
        Err(Malformed::Missing(name))
    }

    /// Appends the message with both headers, as it is sent.
    pub fn append(&self, out: &mut Vec<u8>, family: u16, flags: u16, sequence: u32) {
        // A message is some hundred bytes.
        let length = (NLMSG_HDRLEN + GENL_HDRLEN + self.attrs.len()) as u32;
        out.extend_from_slice(&length.to_ne_bytes());
        out.extend_from_slice(&family.to_ne_bytes());
        out.extend_from_slice(&flags.to_ne_bytes());
        out.extend_from_slice(&sequence.to_ne_bytes());
        // The port: the kernel fills in the socket's.
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&[self.command.number(), IPVS_GENL_VERSION, 0, 0]);
        out.extend_from_slice(&self.attrs);
    }
}

fn command(header: GenlHeader) -> Result<Command, Malformed> {
    Command::from_number(header.cmd)
        .ok_or_else(|| Malformed::Frame(format!("command {} is not one of IPVS", header.cmd)))
}

//! What the tests share.

pub(crate) mod proxy;

/// Each test on both transports: they are to do the same.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod native {
            $(#[test] fn $name() { super::$name(neckar_kafka::Transport::Native); })*
        }
        mod librdkafka {
            $(#[test] fn $name() { super::$name(neckar_kafka::Transport::Librdkafka); })*
        }
    };
}
pub(crate) use on_both;

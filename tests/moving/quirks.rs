//! Save files as they are found: by ipvsadm itself, by hand, by another system.

use lvsh::cli::ipvsadm::restore;
use lvsh::model::State;

#[track_caller]
fn read(text: &str) -> State {
    restore::read(text, "saved").unwrap_or_else(|error| panic!("{error}: {:?}\n{text}", error.notes))
}

const PLAIN: &str = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1\n";

#[test]
fn white_space_and_line_ends() {
    let plain = read(PLAIN);
    for text in [
        "-A -t 10.0.0.1:80 -s rr   \n-a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1\t\n",
        "-A -t 10.0.0.1:80 -s rr\r\n-a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1\r\n",
        "\n\n  -A -t 10.0.0.1:80 -s rr\n\n\t-a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1\n\n",
        "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1",
        "# by hand\n-A -t 10.0.0.1:80 -s rr\n# and more\n-a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1\n",
        "ipvsadm -A -t 10.0.0.1:80 -s rr\nipvsadm -a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1\n",
        "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.0.0.2 \n",
        "--add-service --tcp-service 10.0.0.1:80 --scheduler rr\n--add-server --tcp-service 10.0.0.1:80 \
         --real-server 10.0.0.2:80 --gatewaying --weight 1\n",
    ] {
        assert_eq!(read(text), plain, "{text:?}");
    }
    assert_eq!(read(""), State::default());
}

/// Without `-n` ipvsadm prints names of ports and hosts.
#[test]
fn names_instead_of_numbers() {
    let text = "-A -t 10.0.0.1:http -s rr\n-a -t 10.0.0.1:http -r localhost:http -m -w 1\n";
    let numbers = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 127.0.0.1:80 -m -w 1\n";
    // A machine without /etc/services has no names to print either.
    if std::fs::read_to_string("/etc/services").is_ok_and(|text| text.contains("80/tcp")) {
        assert_eq!(read(text), read(numbers));
    }
    assert_eq!(read(&text.replace(":http", ":80")), read(numbers));
}

#[test]
fn persistence_without_a_number() {
    let bare = read("-A -t 10.0.0.1:80 -s rr -p\n");
    assert_eq!(bare, read("-A -t 10.0.0.1:80 -s rr -p 360\n"));
    assert_eq!(read("-A -t 10.0.0.1:80 -p -s rr\n"), bare);
}

/// ipvsadm goes on with the next line; here nothing is half done, so the line is named instead.
#[test]
fn lines_that_say_something_twice() {
    for (text, line) in [
        ("-A -f 3 -s rr\n-A -f 3 -s rr\n", 2),
        ("-A -f 3 -s rr\n\n-a -f 3 -r 10.0.0.2\n-a -f 3 -r 10.0.0.2\n", 4),
        ("-a -f 3 -r 10.0.0.2\n", 1),
    ] {
        let error = restore::read(text, "saved").expect_err(text);
        assert_eq!(error.origin.as_ref().map(|origin| origin.line), Some(line), "{error}");
        assert!(error.hint.is_some(), "{error}");
    }
}

/// Servers may come in any order, services too; but a service comes before its servers.
#[test]
fn order_makes_no_difference() {
    let one = "-A -f 3 -s rr\n-A -f 4 -s rr\n-a -f 4 -r 10.0.0.3\n-a -f 3 -r 10.0.0.2\n-a -f 3 -r 10.0.0.1\n";
    let two = "-A -f 4 -s rr\n-a -f 4 -r 10.0.0.3\n-A -f 3 -s rr\n-a -f 3 -r 10.0.0.1\n-a -f 3 -r 10.0.0.2\n";
    assert_eq!(read(one), read(two));
}

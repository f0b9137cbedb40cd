//! The protocol that keeps one launch from being made twice. It is told here and nowhere
//! else. [`super::tokens`] and [`super::launch_tag`] have its tokens and its tag;
//! `launch/` carries it out.
//!
//! There is no local state. A run may die between any two lines, sleep for hours
//! between two calls, or lose its answers; other runs may work on the same group; and
//! EC2 shows a new machine some seconds late, two minutes at the worst
//! ([`visibility`]). A run can go by three things: what EC2 shows, which client tokens
//! EC2 remembers, and which groups Inductiva has.
//!
//! **A token names a slot, not a request.** It is a hash of the account, the region,
//! the group's name, an hour, the number of the launch within that hour, and the call.
//! It holds no ids, no settings and no N, so any two runs that want to launch in a
//! group at that time have the same token. If the second one sends the same bytes, EC2
//! answers with the first one's machines; otherwise EC2 answers with a mismatch, and
//! the run waits until those machines show, and plans again. The number is one more
//! than the highest in this hour's launch tags. Ended machines count too, whether EC2
//! shows them or has named them in an answer.
//!
//! **The hour keeps old tokens away.** EC2 remembers a token for longer than it shows
//! ended machines, so a number that nobody can see any more would be a mismatch for
//! ever. Therefore the numbers begin again each hour, at hh:33:20 (when no cron job
//! runs). A launch is planned by the hour of EC2's clock at which its look was *sent*.
//! In the first minutes of an hour ([`MADE_OR_NOT_AFTER`](visibility::MADE_OR_NOT_AFTER))
//! a launch of the hour before may not show yet: a new launch waits until it shows or
//! those minutes are over.
//!
//! **A look is good for a minute.** A token is first tried only within [`GOOD_FOR`] of
//! the look that planned it, and in the same hour; the clock is checked once more right
//! before the request goes out. After that the run looks at the group again, and goes
//! on only if nothing has changed. After [`FRESH_FOR`] it asks EC2 alone again, as
//! others may meanwhile have launched elsewhere, with tokens that never meet these. A
//! call that may have been made is made again with its own token, but never later than
//! [`ASKED_UNTIL`] after the turn of the hour: from then on nobody can know, and the
//! run says so.
//!
//! **The group on Inductiva's side is the marker** of a launch into an empty group. A
//! run that makes the group, and then sees that it is the only one of that name, is the
//! sole maker: no other start is under way, so it need not wait for one, as long as no
//! machine of the group has been known. A run that finds another's group, young and
//! without machines, or is told that the name is taken, or gets no answer, first waits
//! for that start's machines to show. Without Inductiva's API only the tokens protect.
//!
//! **After a mismatch** for which nothing shows, even after
//! [`SHOWN_AFTER`](visibility::SHOWN_AFTER), the sole maker takes the next number: that
//! launch is over. Any other run says so and exits, as machines may be running.
//! **A token is spent** only when EC2 itself says that all of its machines are
//! terminated. Their number counts, and the run looks at the group again; if the launch
//! had more than one call, it waits for the other calls' machines.
//!
//! **The tag [`TAG_LAUNCH`] names the rest.** Every machine says which launch and which
//! call it is of, how many machines the whole launch has, how many there were before,
//! and how many the group was to have. A run that sees fewer machines than that of a
//! young launch does not plan one of its own ([`crate::plan::underway`]); it waits for
//! the others. If a call shows no machine even then, the run makes that call again,
//! with its token and the bytes of its launch, which the tags give. Only then does it
//! launch what is still missing of the number that it wants. If all machines that
//! showed of a launch have ended, none of its calls is made again; one that may be on
//! its way is waited for, for as long as EC2 accepts it
//! ([`ARRIVES_WITHIN`](visibility::ARRIVES_WITHIN)).
//!
//! **If the first choice has no capacity**, other types, places and markets follow, in
//! an order that the settings give. Each has a token of its own, which names the place
//! and the rank of type and market. The first choice's token names neither.
//!
//! **A start that waits for capacity** (`--wait-for-capacity`) launches in rounds. Each
//! round has a look of its own, and nothing has been launched before it. The tag says
//! how many machines the first call takes at least, so that no round launches what it
//! would have to undo. By a later round others may have used the group that the run
//! made. So the run is no sole maker any more: it looks at other regions like everybody
//! else, and does not make the group again.
//!
//! **A start is done** when others can know of its machines: by a group on Inductiva's
//! side of which no machine shows, or else from EC2 itself. So it waits until EC2 shows
//! a top-up, whatever was launched without Inductiva, and whatever found capacity only
//! elsewhere ([`VISIBLE_WITHIN`](visibility::VISIBLE_WITHIN) at most).
//!
//! **Undone** is only what this run has launched: machines that are not older than its
//! first call, while no others show that another start may count, and while this run
//! has not slept. Any others are left running, and named. Two equal starts share their
//! machines: interrupting the one that launched them ends them for both.
//!
//! **A wait ends with a look** that began after its end, never by the clock only.
//!
//! Left to chance:
//! - a start whose machines are launched in another place than the first, while the
//!   next start, before they show, finds capacity in the first after all (for empty
//!   groups the group on Inductiva's side prevents that);
//! - a sole maker to whom Inductiva showed an incomplete list;
//! - machines that show later than two minutes;
//! - machines in another region for which Inductiva has no group (it was out of reach,
//!   or the group was ended beside their start), or has a group whose other machines
//!   have ended, while they do not show yet;
//! - a request that reaches EC2 minutes after it was sent;
//! - what a start launches while a `terminate` is about to say that it is done.
//!
//! [`TAG_LAUNCH`]: crate::model::machine::TAG_LAUNCH
//! [`visibility`]: crate::model::visibility

use std::time::Duration;

/// How long after its look a launch may begin.
pub const GOOD_FOR: Duration = Duration::from_mins(1);

/// After this time EC2 is asked for the group's machines once more before a call. A
/// launch without slow answers takes less.
pub const FRESH_FOR: Duration = Duration::from_secs(5);

/// How long after the turn of the hour a call of the hour before may be made again.
/// Another start waits longer than that before it launches in the new hour.
pub const ASKED_UNTIL: Duration = Duration::from_secs(30);

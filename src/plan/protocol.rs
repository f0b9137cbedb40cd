//! What makes one launch the same as another, so that no machine is launched
//! twice: the one place where the protocol is told.
//!
//! There is no local state. A run may die between any two lines, sleep for hours
//! between two calls, lose its answers; other runs may be at the same group; and
//! EC2 shows a new machine only some seconds later, two minutes at the worst
//! ([`visibility`]). What a run has to go by is what EC2 shows, what EC2 remembers
//! of client tokens, and which group Inductiva has.
//!
//! **A token names a slot, not a request.** It is a hash of the account, the
//! region, the group's name, an hour, the number of the launch within that hour,
//! and the call. No ids, no settings, no N: whoever wants to launch anything in a
//! group at that time has the same token. EC2 answers the second one with the
//! first one's machines if the bytes are the same, and else with a mismatch; then
//! it waits until the machines show, and plans again. The number is one more than
//! the highest in the launch tags of this hour, those of ended machines among
//! them, whether EC2 shows them or has told of them in an answer.
//!
//! **The hour keeps old tokens away.** EC2 remembers a token for longer than it
//! shows ended machines, and a number that nobody can see any more would be a
//! mismatch for ever. So the numbers begin anew each hour, at hh:33:20 (not when
//! cron jobs run). It is the hour by EC2's clock when the look was *sent* that a
//! launch is planned by. In the first minutes of an hour
//! ([`MADE_OR_NOT_AFTER`](visibility::MADE_OR_NOT_AFTER)) a launch of the hour
//! before may not show yet: a new launch waits until it does or they are over.
//!
//! **A look is good for a minute.** A token is tried first only within
//! [`GOOD_FOR`] of the look that it was planned by and in the same hour, and the
//! clock is looked at once more right before the request goes out. After that the
//! group is looked at again; only if it is as it was the walk goes on. EC2 alone is
//! asked again after [`FRESH_FOR`], as others launch elsewhere meanwhile with tokens
//! that never meet these. A call that may have been made is asked for again with
//! its token, never later than [`ASKED_UNTIL`] after the turn of the hour: then
//! nobody knows, which is said.
//!
//! **The group on Inductiva's side is the marker** of a launch into an empty
//! group. Whoever makes it, and sees after that that it is the only one of the
//! name, is the sole maker: no other start is under way, so it need not wait for
//! one, as long as no machine of the group has been known. Whoever finds another's that is young and has no machines, or is refused
//! as the name is taken, or gets no answer, waits for that start's machines to
//! show first. Without Inductiva's API the tokens alone hold.
//!
//! **After a mismatch** of which nothing shows, even after
//! [`SHOWN_AFTER`](visibility::SHOWN_AFTER), the sole maker takes the next number:
//! that launch is over. Everybody else says so and exits: machines may be running.
//! **A token is spent** only by EC2's own word that its machines are terminated, all
//! of them.
//! Their number counts, and the group is looked at again; was it a launch of more
//! than one call, the others' machines are waited for.
//!
//! **The tag [`TAG_LAUNCH`] names the rest.** Every machine says which launch it
//! is of, which call of it, how many machines the whole launch has, how many there
//! were before, and how many the group was to have. A run that sees fewer than
//! that of a launch that is young does not plan a launch of its own
//! ([`crate::plan::underway`]): the machines are waited for. If a call still shows no
//! machine after that wait, it is made again, with its own token and its launch's
//! bytes, which the tags give. Only then the difference to what this run wants is
//! launched. Where all that showed of the launch has ended, no call of it is made
//! again; one that is on its way is waited for, as long as EC2 takes it
//! ([`ARRIVES_WITHIN`](visibility::ARRIVES_WITHIN)).
//!
//! **Where the first choice has no capacity** other types, places and markets
//! follow in an order that the settings give, each with a token of its own, which
//! names the place and the rank of type and market. The first choice's names none
//! of them.
//!
//! **A start that waits for capacity** (`--wait-for-capacity`) launches in rounds, each
//! with a look of its own and nothing launched before it. The tag says how many of the
//! first call it takes at least, so that no round launches what it has to undo. In a
//! later round others may have used the group that the run made: then it is no sole
//! maker, looks at other regions like everybody else, and does not make the group
//! again.
//!
//! **A start is done** when something tells of its machines: a group on Inductiva's
//! side of which no machine shows, or else EC2 itself. So it waits until EC2 shows a
//! top-up, what was launched without Inductiva, and what found capacity only
//! elsewhere ([`VISIBLE_WITHIN`](visibility::VISIBLE_WITHIN) at most).
//!
//! **Undone** is only what this run has launched: machines that are not older
//! than its first call, while no others show that another start may count, and
//! while this run has not slept. Otherwise they are left, and named. Two equal starts
//! share their machines: interrupting the one that launched them ends them for both.
//!
//! **A wait ends with a look** that began after its end, never by the clock alone.
//!
//! Left to chance: a start whose machines are launched in another place than the
//! first while the next start, before they show, finds capacity in the first after
//! all (the group on Inductiva's side closes that for empty groups); a sole maker
//! that was shown an incomplete list by Inductiva; machines that show later than
//! two minutes; machines in another region for which Inductiva has no group (it was
//! out of reach, or the group was ended beside their start), or a group with others
//! that have ended while they do not show yet; a request that EC2 gets minutes after
//! it was sent; what a start launches while a `terminate` is about to say done.
//!
//! [`TAG_LAUNCH`]: crate::model::machine::TAG_LAUNCH
//! [`visibility`]: crate::model::visibility

use std::time::Duration;

/// How long after its look a launch may begin.
pub const GOOD_FOR: Duration = Duration::from_mins(1);

/// After this EC2 is asked for the group's machines once more before a call. A
/// launch without slow answers is quicker.
pub const FRESH_FOR: Duration = Duration::from_secs(5);

/// How long after the turn of the hour a call of the hour before may be asked for
/// again: another start waits for longer before it launches in the new one.
pub const ASKED_UNTIL: Duration = Duration::from_secs(30);

/*
 * replay.h - the history on a scratch database of its own, to go on from.  Private to runner/guard/.
 */
#ifndef RUNNER_GUARD_REPLAY_H
#define RUNNER_GUARD_REPLAY_H

#include "runner/guard/run.h"

/* The scratch database, like the live one, with an empty ledger: run->scratch and run->ledger.  run->before.facts is
 * there. */
MUST_CHECK bool replay_begin(struct run *run, struct err *err);
/* All of run->graph, up to its heads. */
MUST_CHECK bool replay_history(struct run *run, struct err *err);
/* One more unit, as it would be by hand: in a session without anything temporary of the one before.  What would reach
 * beyond the database is refused. */
MUST_CHECK bool replay_unit(struct run *run, const struct step *step, struct err *err);

#endif

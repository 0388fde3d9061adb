/*
 * preset.h - a preset as the gates read it: private to policies/.
 */
#ifndef POLICIES_PRESET_H
#define POLICIES_PRESET_H

#include "policies/policies.h"

struct preset {
	bool refuse_unknown;              /* of gates that the two lists do not name */
	struct strv shown, refused;       /* gates whose unknown facts are shown, or refused */
	struct fact_int replay_lag_bytes; /* FACT_UNKNOWN: any lag will do */
	enum verdict rehearsal_failed, rehearsal_limit, rehearsal_missing; /* pass, warn or refuse */
	struct fact_int rehearsal_age_ms; /* an older one counts as missing, and warns at least; FACT_UNKNOWN: any age */
};

#endif

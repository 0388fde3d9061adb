/*
 * presets.h - the texts of presets/[*].ini, compiled in by presets.cmake.
 */
#ifndef POLICIES_PRESETS_PRESETS_H
#define POLICIES_PRESETS_PRESETS_H

struct preset_text {
	const char *name, *text;
};

/* Ended by a NULL name. */
extern const struct preset_text preset_texts[];

#endif

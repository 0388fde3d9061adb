#include "runner/upkeep/recent.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "runner/upkeep/installation.h"

#include <stdlib.h>
#include <string.h>

/* Machines' clocks differ by this much without anything being wrong. */
#define CLOCK_SKEW_US (INT64_C(5) * 60 * 1000000)

static bool is_ours(const struct manifest *m, const char *database, const char *installation)
{
	const char *is = manifest_str(m, "installation");

	return strcmp(manifest_str(m, "database"), database) == 0 && is && installation &&
	       strcmp(is, installation) == 0;
}

static bool is_young(const struct manifest *m, int64_t age_ms)
{
	int64_t age_us = clock_wall_us() - manifest_created_us(m);

	return age_us >= -CLOCK_SKEW_US && age_us < age_ms * 1000;
}

bool recent_backup(const struct config *config, int64_t age_ms, struct backup_list *list,
                   const struct backup_entry **out, struct err *err)
{
	size_t required =
		config->stores_required > 0 ? (size_t)config->stores_required : config->n_store_configs;
	cleanup_conninfo struct conninfo *ci = NULL;
	cleanup_stores struct stores stores = { .n = 0 };
	cleanup_free char *installation = installation_name(config);

	if (!config_database(config, &ci, err) ||
	    !stores_open(config->store_configs, config->n_store_configs, &stores, err) ||
	    !backup_list_read(&stores, list, err))
		return false;
	*out = NULL;
	for (size_t i = 0; i < list->n && !*out; i++) {
		const struct backup_entry *e = &list->v[i];
		if (is_ours(e->manifest, conninfo_dbname(ci), installation) &&
		    is_young(e->manifest, age_ms) && manifest_is_verified(e->manifest) &&
		    e->stores.n >= required)
			*out = e;
	}
	return true;
}

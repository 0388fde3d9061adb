#include "runner/upkeep/installation.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST_MAX 256 /* HOST_NAME_MAX is 64; POSIX allows 255 */

static bool is_this_machine(const char *host)
{
	return !host || !*host || *host == '/' || *host == '@' || strcmp(host, "localhost") == 0 ||
	       strcmp(host, "::1") == 0 || text_starts(host, "127.");
}

/* Of several hosts the first: they are one cluster, and the order is the file's. */
static char *first_of(const char *list) { return list ? mem_strndup(list, strcspn(list, ",")) : NULL; }

char *installation_name(const struct config *config)
{
	cleanup_conninfo struct conninfo *ci = NULL;
	struct err ignored = ERR_INIT;
	char machine[HOST_MAX] = "";

	if (config->installation)
		return mem_strdup(config->installation);
	if (!config_database(config, &ci, &ignored))
		return NULL;
	cleanup_free char *host = first_of(conninfo_get(ci, "host"));
	cleanup_free char *port = first_of(conninfo_get(ci, "port"));
	if (is_this_machine(host) && gethostname(machine, sizeof(machine) - 1) != 0)
		return NULL;
	return mem_fmt("%s:%s", *machine ? machine : host, port && *port ? port : "5432");
}

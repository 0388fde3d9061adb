/*
 * dav.h - what a WebDAV server says of a folder: the answer to PROPFIND with Depth: 1 (RFC 4918, 9.1 and 14.16).
 */
#ifndef BACKUP_STORES_DAV_H
#define BACKUP_STORES_DAV_H

#include "base/buf.h"
#include "base/err.h"
#include "base/strv.h"

struct dav_entries {
	struct strv files, folders; /* names without a slash, %XX filled in; none that begins with a dot */
};

/* url: the folder that was asked about, with a slash at its end.  ERR_IO for an answer that makes no sense, or
 * names what is not in that folder: an entry that is overlooked would be a backup that is lost. */
MUST_CHECK bool dav_entries_read(const struct buf *body, const char *url, struct dav_entries *out, struct err *err);
void dav_entries_clear(struct dav_entries *e);
#define cleanup_dav_entries __attribute__((cleanup(dav_entries_clear)))

#endif

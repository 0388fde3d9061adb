/*
 * installation.h - which installation's database this is, by name.
 *
 * A copy of a cluster's files (a staging made from a snapshot) has the system identifier of its original and often
 * its database's name, so that both keep their backups in one folder of a shared store.  The name tells them apart: it
 * stands in the manifest, and retention touches its own installation's backups alone.
 */
#ifndef RUNNER_UPKEEP_INSTALLATION_H
#define RUNNER_UPKEEP_INSTALLATION_H

#include "runner/config.h"

/* [ripcord] installation, else HOST:PORT of the URL, where a socket or a loopback address means this machine by its
 * name; NULL when there is neither.  The caller's. */
char *installation_name(const struct config *config);

#endif

#ifndef EDS_RULES_FOLDER_H
#define EDS_RULES_FOLDER_H

#include "ipc/base/err.h"
#include "worker/rules/rules.h"

/*
 * Reads a folder of rules (contract/drivers.md section 12): config.json, and every other file below it, whatever
 * its name, as a schema.  Names that begin with a dot are passed over; links are followed.
 *
 * All of it becomes one text, for rules_new(), here and in the workers, so that what a worker goes by is what was read
 * when the configuration was, whatever becomes of the files: {"folders": [<absolute path>, <the same without links>],
 * "config": {...}, "files": {"<relative name>": <schema>, ...}}.  The caller frees it.  ERR_CONFIG: which file, and
 * what is wrong with it.
 */
int	 rules_folder_read(const char *folder, char **text_r, struct err *) MUST_CHECK;

#define RULES_FILES_MOST	10000u
#define RULES_BYTES_MOST	((size_t)16 << 20)	/* of all files */
#define RULES_DEPTH_MOST	32u			/* of folders in folders */

#endif

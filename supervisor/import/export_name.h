#ifndef EDS_EXPORT_NAME_H
#define EDS_EXPORT_NAME_H

#include "ipc/base/slice.h"

/* The name of an export's file tells its table and when the snapshot was taken (contract/hq-api.md section 7.4). */
struct export_name {
	struct slice	 file;		/* the last element of the path */
	struct slice	 table;
	int64_t		 time_ns;	/* epoch */
};

/* `path`: of a URL, decoded, or of a file.  False when the name has another form; golden values: tests/vectors/export-filenames.json. */
bool	 export_name_parse(struct slice path, struct export_name *) MUST_CHECK;

#endif

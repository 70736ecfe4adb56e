/* An import's progress in the form that is shown to people. */

#include "supervisor/import/import.h"
#include "supervisor/import/import_text.h"

struct text_import
import_picture(const struct import *im)
{
	struct import_progress	 p;

	import_progress(im, &p);
	return (struct text_import){ .phase = p.phase, .tables = p.tables, .tables_exported = p.tables_exported, .files = p.files,
	    .files_done = p.files_done, .rows = p.rows, .rejected = p.rejected, .skipped = p.skipped, .rows_per_s = p.rows_per_s, .left_ms = p.left_ms };
}

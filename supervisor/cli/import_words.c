/* What an import was asked to do, in the words of edsctl: for a running server, and for the audit. */

#include <stdlib.h>

#include "supervisor/cli/cli.h"

static void
add(struct import_words *w, struct buf *word)
{
	if ((w->word[w->n] = buf_steal(word)) == NULL)
		w->oom = true;
	else
		w->n++;
}

static void
add_list(struct import_words *w, const char *name, const char *const *list)
{
	struct buf	 word = { 0 };

	if (list == NULL)
		return;
	buf_printf(&word, "%s=", name);
	for (size_t i = 0; list[i] != NULL; i++)
		buf_printf(&word, "%s%s", i == 0 ? "" : ",", list[i]);
	add(w, &word);
}

static void
add_text(struct import_words *w, const char *name, const char *value)
{
	const char *const	 one[] = { value, NULL };

	if (value != NULL)
		add_list(w, name, one);
}

static void
add_flag(struct import_words *w, const char *name, bool given)
{
	struct buf	 word = { 0 };

	if (!given)
		return;
	buf_adds(&word, name);
	add(w, &word);
}

void
import_words_make(struct import_words *w, const struct cli *cli)
{
	const struct cli_import	*im = &cli->import;

	*w = (struct import_words){ 0 };
	add_list(w, "only", im->only);
	add_list(w, "company-ids", cli->company_ids);
	add_list(w, "location-ids", im->location_ids);
	add_text(w, "job-id", im->job_id);
	add_text(w, "dir", im->dir);
	add_text(w, "timeOffset", im->time_offset);
	add_flag(w, "dry-run", im->dry_run);
	add_flag(w, "schema-only", im->schema_only);
	add_flag(w, "no-delete", im->no_delete);
	add_flag(w, "single", im->single);
}

void
import_words_free(struct import_words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->word[i]);
	*w = (struct import_words){ 0 };
}

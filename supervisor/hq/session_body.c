/* The body of the session start (contract/hq-api.md section 4). */

#include "drivers/registry.h"
#include "ipc/base/json_out.h"
#include "ipc/base/url.h"
#include "supervisor/hq/machine.h"
#include "supervisor/hq/session.h"

static void
add_key(struct buf *json, const char *key)
{
	buf_printf(json, "%s\"%s\":", json->data[json->len - 1] == '{' ? "" : ",", key);
}

static void
add_text(struct buf *json, const char *key, struct slice value)
{
	add_key(json, key);
	json_out_str(json, value);
}

static void
add_found(struct buf *json, const char *key, void (*find)(struct buf *))
{
	struct buf	 value = { 0 };

	find(&value);
	add_text(json, key, buf_slice(&value));
	buf_free(&value);
}

/* HQ knows one destination: the one that it configured, else the first. */
static const struct destination_config *
the_destination(const struct config *c)
{
	for (size_t i = 0; i < c->n_destinations; i++)
		if (strcmp(c->destinations[i].origin, "config.toml") == 0 || strcmp(c->destinations[i].origin, "--url") == 0)
			return &c->destinations[i];
	return c->n_destinations > 0 ? &c->destinations[0] : NULL;
}

static void
add_driver(struct buf *json, const struct destination_config *d)
{
	const struct driver_info	*info = driver_info_by_scheme(url_scheme(slice_of(d->url)));
	struct slice			 schemes, id;
	struct buf			 masked = { 0 };

	if (info == NULL)
		return;
	schemes = slice_of(info->schemes);
	(void)slice_cut(&schemes, ' ', &id);	/* the first is the canonical one */
	mask_url_for_log(&masked, slice_of(d->url));
	add_key(json, "driver");
	buf_addc(json, '{');
	add_text(json, "id", id);
	add_text(json, "name", slice_of(info->name));
	add_text(json, "description", slice_of(info->description));
	add_text(json, "url", buf_slice(&masked));
	buf_addc(json, '}');
	buf_free(&masked);
}

void
session_request_body(const struct config *c, struct buf *json)
{
	const struct destination_config	*d = the_destination(c);
	struct buf			 id = { 0 };

	if (!buf_reserve(json, 1024))
		return;
	buf_addc(json, '{');
	add_text(json, "version", SLICE(EDS_VERSION));
	add_found(json, "hostname", machine_hostname);
	add_found(json, "ipAddress", machine_private_ip);
	machine_id(c->data_dir, &id);
	add_text(json, "machineId", buf_slice(&id));
	buf_free(&id);
	add_key(json, "osinfo");
	machine_osinfo(json);
	if (d != NULL)
		add_driver(json, d);
	add_text(json, "serverId", slice_of(c->server_id == NULL ? "" : c->server_id));
	if (c->company_ids != NULL && c->company_ids[0] != NULL) {
		add_key(json, "companyIds");
		for (size_t i = 0; c->company_ids[i] != NULL; i++) {
			buf_addc(json, i == 0 ? '[' : ',');
			json_out_str(json, slice_of(c->company_ids[i]));
		}
		buf_addc(json, ']');
	}
	buf_addc(json, '}');
}

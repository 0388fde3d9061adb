#include "migrations/schema/kinds/kinds.h"

/* Which columns pg_subscription has; whoever is no superuser may read these, but not the connection string. */
#define SUBSCRIPTION(more) \
	"SELECT quote_ident(s.subname) AS name, pg_get_userbyid(s.subowner) AS owner, s.subenabled AS enabled," \
	" s.subbinary AS binary, s.subslotname AS slot," \
	" CASE WHEN s.substream::text NOT IN ('f', 'false') THEN s.substream::text END AS streaming," \
	" s.subsynccommit AS \"synchronous commit\"," more \
	" (SELECT string_agg(quote_ident(p), ', ' ORDER BY p COLLATE \"C\") FROM unnest(s.subpublications) p)" \
	" AS publications" \
	" FROM pg_subscription s" \
	" WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
#define SINCE_15 " nullif(s.subtwophasestate::text, 'd') AS \"two phase\", s.subdisableonerr AS \"disable on error\","
#define SINCE_16 \
	SINCE_15 " s.suborigin AS origin, NOT s.subpasswordrequired AS \"no password required\"," \
	" s.subrunasowner AS \"run as owner\","
#define SINCE_17 SINCE_16 " s.subfailover AS failover,"

static const struct kind_query QUERIES[] = {
	{ "publication", .if_any = NEW_IN("pg_publication"), .sql =
		"SELECT " ADDRESS("pg_publication", "p.oid") "quote_ident(p.pubname) AS name, pg_get_userbyid(p.pubowner) AS owner, p.puballtables"
		" AS \"all tables\","
		" concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate"
		" THEN 'update' END,"
		" CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END)"
		" AS publishes,"
		" p.pubviaroot AS \"via root\", nullif(to_jsonb(p) ->> 'pubgencols', 'n')"
		" AS \"generated columns\""
		" FROM pg_publication p WHERE" OURS("pg_publication", "p.oid") },

	{ "publication table", .until = 15, .if_any = NEW_IN("pg_publication_rel"), .sql =
		"SELECT " ADDRESS("pg_publication_rel", "m.oid") "r.name || ' in ' || quote_ident(p.pubname) AS name"
		" FROM pg_publication_rel m JOIN pg_publication p ON p.oid = m.prpubid"
		" JOIN relation r ON r.oid = m.prrelid"
		" WHERE" OURS("pg_publication_rel", "m.oid") },

	{ "publication table", .since = 15, .if_any = NEW_IN("pg_publication_rel"), .sql =
		"SELECT " ADDRESS("pg_publication_rel", "m.oid") "r.name || ' in ' || quote_ident(p.pubname) AS name,"
		" (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname COLLATE \"C\")"
		" FROM pg_attribute a"
		" WHERE a.attrelid = m.prrelid AND a.attnum = ANY (m.prattrs::int2[])) AS columns,"
		" pg_get_expr(m.prqual, m.prrelid) AS \"where:expression\""
		" FROM pg_publication_rel m JOIN pg_publication p ON p.oid = m.prpubid"
		" JOIN relation r ON r.oid = m.prrelid"
		" WHERE" OURS("pg_publication_rel", "m.oid") },

	{ "publication schema", .since = 15, .if_any = NEW_IN("pg_publication_namespace"), .sql =
		"SELECT " ADDRESS("pg_publication_namespace", "m.oid") "n.name || ' in ' || quote_ident(p.pubname) AS name"
		" FROM pg_publication_namespace m JOIN pg_publication p ON p.oid = m.pnpubid"
		" JOIN space n ON n.oid = m.pnnspid"
		" WHERE" OURS("pg_publication_namespace", "m.oid") },

	{ "subscription", .until = 15, .if_any = NEW_IN("pg_subscription"), .sql = SUBSCRIPTION("") },
	{ "subscription", .since = 15, .until = 16, .if_any = NEW_IN("pg_subscription"), .sql = SUBSCRIPTION(SINCE_15) },
	{ "subscription", .since = 16, .until = 17, .if_any = NEW_IN("pg_subscription"), .sql = SUBSCRIPTION(SINCE_16) },
	{ "subscription", .since = 17, .if_any = NEW_IN("pg_subscription"), .sql = SUBSCRIPTION(SINCE_17) },
};

const struct kind_list KINDS_REPLICATION = KIND_LIST(QUERIES);

"""BM25: each passage's weights of words, and how many passages have a word."""

from django.db import migrations, models
from pgvector.django import SparseVectorField

# The words of a heading count twice. k1 = 1.2 and b = 0.75, and a passage of 100 words has the usual length: it is a
# constant, because weights that follow an average would all be stale after each new passage.
WEIGHTS = """
CREATE FUNCTION kb_dimension(lexeme text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ('x' || substr(md5(lexeme), 1, 7))::bit(28)::integer + 1;

CREATE FUNCTION kb_weights(heading text, body text) RETURNS sparsevec LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    WITH words AS (
        SELECT kb_dimension(lexeme) AS place, sum(array_length(positions, 1)) AS times
        FROM (
            SELECT lexeme, positions FROM unnest(to_tsvector('english'::regconfig, body))
            UNION ALL SELECT lexeme, positions || positions
            FROM unnest(to_tsvector('english'::regconfig, heading))
        ) AS both_texts
        GROUP BY 1
    )
    SELECT ('{' || coalesce(string_agg(place || ':' || times * 2.2 / (times + 1.2 * (0.25 + 0.75 * size / 100)), ','), '')
            || '}/268435456')::sparsevec
    FROM words, (SELECT sum(times) AS size FROM words) AS passage
);
"""

# One lock for whoever changes the counts: two ingests would otherwise wait for each other's words in circles.
COUNTS = """
CREATE FUNCTION kb_count_terms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('kb_terms'));
    INSERT INTO kb_terms AS known (lexeme, passages)
    SELECT lexeme, count(*) * TG_ARGV[0]::int FROM changed, LATERAL (
        SELECT '*' AS lexeme UNION ALL SELECT lexeme FROM unnest(changed.lexemes)
    ) AS word GROUP BY lexeme
    ON CONFLICT (lexeme) DO UPDATE SET passages = known.passages + excluded.passages;
    RETURN NULL;
END $$;
"""

TRIGGERS = """
CREATE TRIGGER kb_count_added AFTER INSERT ON kb_embeddings REFERENCING NEW TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION kb_count_terms('1');
CREATE TRIGGER kb_count_removed AFTER DELETE ON kb_embeddings REFERENCING OLD TABLE AS changed
FOR EACH STATEMENT EXECUTE FUNCTION kb_count_terms('-1');
"""

PRESENT = """
INSERT INTO kb_terms (lexeme, passages) SELECT '*', count(*) FROM kb_embeddings
UNION ALL SELECT word, ndoc FROM ts_stat('SELECT lexemes FROM kb_embeddings');
"""


class Migration(migrations.Migration):

    dependencies = [("knowledge", "0001_initial")]

    operations = [
        migrations.RunSQL(WEIGHTS, "DROP FUNCTION kb_weights(text, text); DROP FUNCTION kb_dimension(text)"),
        migrations.CreateModel(
            name="Term",
            fields=[
                ("lexeme", models.TextField(primary_key=True, serialize=False)),
                ("passages", models.BigIntegerField()),
            ],
            options={"db_table": "kb_terms"},
        ),
        migrations.AddField(
            model_name="chunk",
            name="weights",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Func("heading", "text", function="kb_weights"),
                output_field=SparseVectorField(dimensions=2**28),
            ),
        ),
        migrations.AddIndex(
            model_name="chunk",
            index=models.Index(fields=["embedding_model", "project", "persona"], name="kb_scope"),
        ),
        # Read for every passage that shares a word, so it had better lie in the row itself.
        migrations.RunSQL("ALTER TABLE kb_embeddings ALTER COLUMN weights SET STORAGE MAIN", migrations.RunSQL.noop),
        migrations.RunSQL(COUNTS, "DROP FUNCTION kb_count_terms()"),
        migrations.RunSQL(
            TRIGGERS,
            "DROP TRIGGER kb_count_added ON kb_embeddings; DROP TRIGGER kb_count_removed ON kb_embeddings",
        ),
        migrations.RunSQL(PRESENT, migrations.RunSQL.noop),
    ]

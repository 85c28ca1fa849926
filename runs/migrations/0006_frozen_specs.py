from django.db import migrations, models


def name_what_each_cap_lacks(apps, schema_editor):
    """Budget gates used to keep one number for all the caps that would break."""
    gates = apps.get_model("runs", "Step").objects.filter(kind="gate", name="budget", output__isnull=False)
    for gate in gates.iterator():
        asked = gate.output["asked"]
        for cap in asked["caps"]:
            cap.setdefault("over_microusd", asked["over_microusd"])
        gate.save(update_fields=["output"])


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0005_spends'),
    ]

    operations = [
        migrations.AddField(
            model_name='providerjob',
            name='attempt',
            field=models.PositiveIntegerField(default=0, help_text='fence: only who took the job last may settle it'),
        ),
        migrations.AlterField(
            model_name='providerjob',
            name='poll_at',
            field=models.DateTimeField(blank=True, help_text='when to ask, should no callback come; of an intent, when to try again', null=True),
        ),
        migrations.AlterField(
            model_name='providerjob',
            name='retries',
            field=models.PositiveIntegerField(default=0, help_text='times it was ordered anew, under a fresh key'),
        ),
        # Runs used to read the numbers of their project as they are today.
        migrations.RunSQL(
            """
            UPDATE runs SET payload = payload || jsonb_build_object('specs', projects.spec -> 'specs')
            FROM projects WHERE projects.id = runs.project_id AND NOT payload ? 'specs'
            """,
            migrations.RunSQL.noop,
        ),
        migrations.RunPython(name_what_each_cap_lacks, migrations.RunPython.noop),
    ]

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q, Value
from django.db.models.functions import Concat, Left


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0006_frozen_specs'),
    ]

    operations = [
        # A file's name is its checksum, in case a row was written without one.
        migrations.RunSQL(
            "UPDATE artifacts SET checksum = substring(path from '[0-9a-f]{64}') WHERE path ~ '[0-9a-f]{64}' AND checksum = ''",
            migrations.RunSQL.noop,
        ),
        # Not valid: for new rows. Whatever old ones say stays readable.
        AddConstraintNotValid(
            model_name='artifact',
            constraint=models.CheckConstraint(
                condition=Q(path='')
                | Q(
                    checksum__regex='^[0-9a-f]{64}$',
                    path__startswith=Concat(Left('checksum', 2), Value('/'), F('checksum')),
                ),
                name='artifact_file_named_by_checksum',
            ),
        ),
        migrations.AlterField(
            model_name='artifact',
            name='path',
            field=models.CharField(blank=True, help_text='in the media store', max_length=255),
        ),
        migrations.AddIndex(
            model_name='artifact',
            index=models.Index(condition=~Q(path=''), fields=['path'], name='artifact_path'),
        ),
    ]

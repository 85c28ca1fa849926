# One image for every process; docker-compose.yml and fly.toml choose the command.
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
RUN python -m venv /opt/venv
COPY requirements.lock .
RUN /opt/venv/bin/python -m pip install --no-cache-dir --require-hashes -r requirements.lock

FROM python:3.11-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MYLOWARE_DATA_DIR=/data
RUN useradd --create-home --uid 10001 myloware && install -d -o myloware /data
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY . .
RUN ENVIRONMENT=production DJANGO_SECRET_KEY=unused-while-building python manage.py collectstatic --noinput
USER myloware
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/health', timeout=2)"]
CMD ["python", "-m", "uvicorn", "myloware.asgi:application", "--host", "0.0.0.0", "--port", "8080", "--no-access-log"]

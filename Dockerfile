# Two images from one file. `docker build .` makes the actor's: one message, one process; build it after
# `python -m pipelinejobs pin` has written the pins. `docker build --target gateway .` makes the gateway's.
FROM python:3.11-slim AS base

WORKDIR /actor
COPY deploy/requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock

COPY reactor.py config.yml message.jsonschema ./
COPY fsm fsm
COPY pipelinejobs pipelinejobs

# Compiled once here, because each message is a new process, and the user it runs as may write nothing. Readable for all,
# however strict the builder's umask is, because Abaco may run the container as another user.
RUN chmod -R a+rX . && python -m compileall -q fsm pipelinejobs reactor.py && useradd --no-create-home --uid 1000 actor


FROM base AS gateway

COPY deploy/requirements-gateway.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-gateway.lock
USER 1000

# Its settings come from the environment and from the file that PIPELINEJOBS_SECRETS names. -E: variables named PYTHON...
# do nothing; -s: no user's site directory.
CMD ["python", "-Es", "-m", "pipelinejobs", "serve", "--host", "0.0.0.0"]


# The last, and so the one that is built where no target is named, as Abaco's and Tapis's tools do.
FROM base AS actor

# An image without pins does not start: a URL parameter of Abaco could replace what guards the jobs.
RUN sed -i 's/^require_pins: false$/require_pins: true/' config.yml && grep -qx 'require_pins: true' config.yml
USER 1000

CMD ["python", "-Es", "/actor/reactor.py"]

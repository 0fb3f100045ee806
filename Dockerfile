# Two images. `docker build .` makes the image of the actor, which starts a process for each message; run
# `python -m pipelinejobs pin` before, so that config.yml has the pins. `docker build --target gateway .` makes the
# image of the gateway.
FROM python:3.11-slim AS base

WORKDIR /actor
COPY deploy/requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock

COPY reactor.py config.yml message.jsonschema ./
COPY fsm fsm
COPY pipelinejobs pipelinejobs

# Bytecode is compiled here, because each message starts a process, whose user may not write files. All files are made
# readable, whatever the umask of the builder is, because Abaco may run the container as another user.
RUN chmod -R a+rX . && python -m compileall -q fsm pipelinejobs reactor.py && useradd --no-create-home --uid 1000 actor


FROM base AS gateway

COPY deploy/requirements-gateway.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-gateway.lock
USER 1000

# The settings come from the environment and from the file that PIPELINEJOBS_SECRETS names. Python ignores PYTHON...
# variables (-E) and the user's site directory (-s).
CMD ["python", "-Es", "-m", "pipelinejobs", "serve", "--host", "0.0.0.0"]


# The last stage is built if no target is named, as Abaco's and Tapis's tools do.
FROM base AS actor

# Without pins, the actor refuses to start: a URL parameter of Abaco could replace a guarded setting.
RUN sed -i 's/^require_pins: false$/require_pins: true/' config.yml && grep -qx 'require_pins: true' config.yml
USER 1000

CMD ["python", "-Es", "/actor/reactor.py"]

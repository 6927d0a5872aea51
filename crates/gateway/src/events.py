# Events and their subscribers. Runs in the namespace of the module mod_wsgi, after module.py, where _callback_failed is already.

event_callbacks = []
shutdown_callbacks = []
signal_callbacks = []


def subscribe_events(callback):
    """Calls callback(name, **payload) for each event of a request and of the process."""
    event_callbacks.append(callback)
    return callback


def subscribe_shutdown(callback):
    """Calls callback("process_stopping", shutdown_reason=...) when the process ends."""
    shutdown_callbacks.append(callback)
    return callback


def subscribe_signals(callback):
    """Calls callback("process_signal", signame=..., signum=...) for SIGHUP and SIGUSR2."""
    signal_callbacks.append(callback)
    return callback


def _publish(name, event):
    _tell(event_callbacks, name, event)
    if name == "process_stopping":
        _tell(shutdown_callbacks, name, event)
    elif name == "process_signal":
        _tell(signal_callbacks, name, event)


def _tell(callbacks, name, event):
    # A copy: a callback may subscribe or unsubscribe others.
    for callback in list(callbacks):
        try:
            result = callback(name, **event)
            if isinstance(result, dict):
                event.update(result)
        except RequestTimeout:
            raise
        except BaseException as error:
            _callback_failed(name, error)


def _thread_times():
    """Processor time of this thread, in user and system mode, in seconds; None where Python cannot tell."""
    try:
        import resource

        usage = resource.getrusage(resource.RUSAGE_THREAD)
    except (ImportError, AttributeError, OSError):
        return None
    return usage.ru_utime, usage.ru_stime


def _request_started(event):
    """The callable to call, which a subscriber may have replaced, and what _request_finished wants."""
    _publish("request_started", event)
    return event["application_object"], _thread_times()


def _request_finished(event, before):
    after = _thread_times()
    if before and after:
        user, system = (max(late - early, 0.0) for early, late in zip(before, after))
        event.update(cpu_user_time=user, cpu_system_time=system, cpu_time=user + system)
    _publish("request_finished", event)


def _response_started(event, status, headers, exc_info):
    event.update(response_status=status, response_headers=headers, exception_info=exc_info)
    _publish("response_started", event)


def _request_exception(event, error):
    event.update(exception_info=(type(error), error, error.__traceback__))
    _publish("request_exception", event)

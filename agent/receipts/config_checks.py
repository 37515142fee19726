"""What `tillmate check` says of receipts: the retailer's templates and logo on the printers of the config, before a till does.

`tillmate run` does not ask this: a template with a mistake stops no sale, ours is printed then.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.config import Config
from agent.receipts.check import Remark, check
from agent.receipts.own_templates import Own, TemplatesUnreadable
from agent.receipts.slip_printing import model_of
from agent.receipts.source import BadInput, source_of
from loyalty.strict import Mistake


@dataclass(frozen=True)
class Verdict:
    """`mistakes` keep a receipt from being printed as it should be; `warnings` are sentences."""

    mistakes: tuple[Mistake, ...]
    warnings: tuple[str, ...] = ()


def check_receipts(config: Config) -> Verdict:
    """All templates in the language of the config; warnings only of those that are the retailer's."""
    language = config.language
    try:
        source = source_of(config)
        models = [model_of(config, table, source) for table in config.printer]
        for model in models:
            model.picture()
    except TemplatesUnreadable as error:
        return Verdict((Mistake("receipt.templates", error.said(language)),))
    except BadInput as error:
        return Verdict((Mistake("receipt.logo", error.said(language)),))
    remarks = [each for each in check(source, models, languages=(language,)) if _counts(each, source.own)]
    refused = [each.said(language) for each in remarks if each.finding.severity == "refused"]
    warnings = [each.said(language) for each in remarks if each.finding.severity == "warning"]
    return Verdict(tuple(Mistake("receipt.templates", each) for each in refused), tuple(warnings))


def _counts(remark: Remark, own: Own) -> bool:
    """What our own templates do with the longest names is no news for store IT."""
    parts = any(path.endswith(".part") for path in own)
    return remark.finding.severity == "refused" or parts or remark.template in own

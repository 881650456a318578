"""Operations in the admin: what happens, why it waits, and cancelling."""

from apps.operations.admin.name_rows import NamedRows
from apps.operations.admin.names import (
    kind_phrase,
    kind_title,
    register_former_names,
    register_target_names,
    register_titles,
    title_of,
)
from apps.operations.admin.pages import OperationAdmin
from apps.operations.admin.parts import (
    links_of_ids,
    named_facts,
    operation_link,
    operations_table,
    register_kind_page,
    register_result_view,
    register_target_page,
    status_badge,
    took,
)
from apps.operations.admin.rerun import Rerun, RerunForm, register_rerun, register_rerun_form, rerun_link
from apps.operations.admin.search import HELP, register_target_search, search
from apps.operations.admin.waits import as_sentence, wait_sentence
from apps.operations.admin.wording import error_of, in_names, message_of, name_all, step_name, without_code, word_all
from apps.operations.admin.worker_nodes import WorkerNodeAdmin

__all__ = [
    "NamedRows",
    "as_sentence",
    "HELP",
    "OperationAdmin",
    "Rerun",
    "register_former_names",
    "register_kind_page",
    "error_of",
    "in_names",
    "step_name",
    "kind_phrase",
    "kind_title",
    "links_of_ids",
    "name_all",
    "message_of",
    "named_facts",
    "operation_link",
    "operations_table",
    "register_rerun",
    "register_rerun_form",
    "rerun_link",
    "RerunForm",
    "register_result_view",
    "register_target_names",
    "register_target_search",
    "register_titles",
    "search",
    "status_badge",
    "register_target_page",
    "title_of",
    "took",
    "without_code",
    "WorkerNodeAdmin",
    "word_all",
    "wait_sentence",
]

"""The 34 defects of the official Python SDK 1.0.4, and where ours is shown not to have each, on both faces."""

import ast
from pathlib import Path

import pytest

# The protocol's numbers, in short -> the tests, in tests/unit/sdk/_async/test_defects.py and its twin for threads.
DEFECTS = {
    1: (
        "an unbounded dataclass_wizard breaks a fresh install",
        "test_01_answers_are_parsed_by_our_own_code_not_by_a_mapping_library",
    ),
    2: ("Content-MD5 of other bytes than those sent", "test_02_the_md5_is_of_the_bytes_that_are_sent"),
    3: (
        "a failed task with a success envelope returns None",
        "test_03_a_failed_task_raises_even_if_its_result_envelope_says_success",
    ),
    4: ("default images are dropped", "test_04_default_images_are_the_output_when_no_field_was_configured"),
    5: (
        "an error while polling fails the prediction for good",
        "test_05_an_error_envelope_while_polling_does_not_fail_the_prediction",
    ),
    6: (
        "a refused upload sends the local path",
        "test_06_a_refused_ticket_or_an_oversized_file_never_sends_the_local_path",
    ),
    7: ("cancel reports failed", "test_07_cancel_says_canceled"),
    8: (
        "unsupported inputs are stringified",
        "test_08_what_cannot_be_sent_is_refused_and_files_bytes_and_outputs_are_understood",
    ),
    9: ("a long prompt crashes async", "test_09_long_prompts_are_text"),
    10: ("unknown statuses and nulls crash", "test_10_unknown_statuses_and_missing_numbers_are_no_reason_to_stop"),
    11: (
        "odd results and expiry times crash",
        "test_11_a_result_that_is_no_object_is_handed_over test_11_any_expire_time_is_tolerated",
    ),
    12: ("temporary files, bytes and streams cannot be uploaded", "test_12_files_of_every_kind_can_be_uploaded"),
    13: ("the faces disagree on what is a file", "test_13_one_rule_says_which_strings_are_files"),
    14: ("~ is not expanded", "test_14_a_tilde_is_expanded"),
    15: (
        "options missing on run and module functions",
        "test_15_run_takes_every_option_and_the_default_client_can_be_set",
    ),
    16: ("POST is signed whatever is sent", "test_16_the_method_signed_is_the_method_sent"),
    17: ("endpoints are concatenated raw", "test_17_endpoints_with_slashes_or_without_a_scheme_work"),
    18: ("the version is not the version", "test_18_version_and_user_agent_agree"),
    19: ("dates follow the locale", "test_19_dates_are_english_whatever_the_locale"),
    20: (
        "the ETA is rounded, 1 MiB passes",
        "test_20_the_eta_keeps_its_fraction_and_a_mebibyte_is_too_much_for_base64",
    ),
    21: ("bare Exception and ValueError", "test_21_every_error_is_one_of_ours"),
    22: ("gateway headers are never read", "test_22_gateway_headers_and_bad_json_become_our_errors"),
    23: ("no retries", "test_23_one_429_while_polling_ends_nothing"),
    24: ("wait has no deadline", "test_24_a_wait_has_a_deadline_when_asked"),
    25: ("progress, queue and ETA are thrown away", "test_25_all_that_the_service_says_is_kept"),
    26: ("a sub code alone is not reported", "test_26_a_sub_code_alone_is_reported"),
    27: ("whole files in memory", "test_27_file_outputs_hold_no_bytes"),
    28: ("files one after another, duplicates twice", "test_28_distinct_files_go_up_at_once_and_equal_ones_once"),
    29: ("downloads bypass the client", "test_29_downloads_use_the_clients_connections"),
    30: ("a failed download leaves a file", "test_30_a_failed_download_leaves_no_file"),
    31: (
        "FileOutput is no value",
        "test_31_file_outputs_behave_like_values test_31_texts_are_not_files_but_upper_case_schemes_and_data_uris_are",
    ),
    32: ("no content sniffing", "test_32_nameless_pictures_get_a_name_and_a_type"),
    33: ("leaving closes one face only", "test_33_leaving_a_client_closes_all_its_connections"),
    34: ("two HTTP stacks and idle dependencies", "test_34_one_http_interface_and_no_idle_dependency"),
}


def test_the_table_is_whole():
    assert list(DEFECTS) == list(range(1, 35))


@pytest.mark.parametrize("face", ["_async", "_sync"])
def test_each_defect_has_its_tests_and_each_such_test_is_named(face):
    tree = ast.parse(Path(__file__).with_name(face).joinpath("test_defects.py").read_text("utf-8"))
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    named = {test for _, tests in DEFECTS.values() for test in tests.split()}
    assert named <= defined
    assert {name for name in defined if name[:7].removeprefix("test_").isdigit()} == named

//! Compares the committed bindings with the headers that are installed: sizes, alignments and offsets of every
//! structure and member in use, constants, and the bit-fields that are read by hand. Skipped, and counted, where
//! headers or compiler are missing.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod support;

use httpd_sys as sys;
use kit::skip::skipped;
use std::fmt::Write as _;
use std::mem::{align_of, offset_of, size_of};
use support::compile_and_run;

/// One number both sides must agree on: its name, the C expression and our value.
struct Fact {
    name: String,
    c: String,
    ours: i64,
}

/// Structures whose size matters (we or httpd lay out several of them, or copy one whole), and members in use. A member
/// that Rust cannot name as C does is written `rust = c`.
macro_rules! layouts {
    ($facts:ident; $($kind:ident $rust:ident { $($member:ident $(= $c:ident)?),* $(,)? })*) => {
        $(
            layouts!(@$kind $facts $rust);
            $({
                let c = [stringify!($member) $(, stringify!($c))?];
                let member = c[c.len() - 1];
                $facts.push(Fact {
                    name: format!("offset of {}.{member}", stringify!($rust)),
                    c: format!("offsetof({}, {member})", stringify!($rust)),
                    ours: offset_of!(sys::$rust, $member) as i64,
                });
            })*
        )*
    };
    (@whole $facts:ident $rust:ident) => {
        $facts.push(Fact {
            name: format!("size of {}", stringify!($rust)),
            c: format!("sizeof({})", stringify!($rust)),
            ours: size_of::<sys::$rust>() as i64,
        });
        layouts!(@part $facts $rust);
    };
    (@part $facts:ident $rust:ident) => {
        $facts.push(Fact {
            name: format!("alignment of {}", stringify!($rust)),
            c: format!("__alignof__({})", stringify!($rust)),
            ours: align_of::<sys::$rust>() as i64,
        });
    };
}

/// Constants of the same name on both sides.
macro_rules! constants {
    ($($name:ident)*) => {
        vec![$(Fact {
            name: stringify!($name).to_owned(),
            c: stringify!($name).to_owned(),
            ours: sys::$name as i64,
        }),*]
    };
}

fn structures() -> Vec<Fact> {
    let mut facts = Vec::new();
    layouts! { facts;
        whole module { version, minor_version, module_index, name, dynamic_load_handle, next, magic, rewrite_args,
            create_dir_config, merge_dir_config, create_server_config, merge_server_config, cmds, register_hooks,
            flags }
        whole command_rec { name, func, cmd_data, req_override, args_how, errmsg }
        part cmd_parms { info, pool, temp_pool, server, path, cmd, directive }
        part ap_directive_t { directive, args, next, first_child, parent, filename, line_num }
        part process_rec { pool, pconf }
        part server_rec { process, next, error_fname, error_log, log, module_config, defn_name, defn_line_number,
            is_virtual, port, server_admin, server_hostname, timeout, keep_alive_timeout }
        part conn_rec { pool, base_server, local_addr, client_addr, client_ip, local_ip, notes, bucket_alloc,
            data_in_output_filters, keepalive, keepalives, log_id, master, aborted }
        part request_rec { pool, connection, server, prev, main, the_request, proxyreq, header_only, proto_num,
            protocol, hostname, request_time, status_line, status, method_number, method, sent_bodyct, expecting_100,
            headers_in, headers_out, err_headers_out, subprocess_env, notes, content_type, handler, user,
            ap_auth_type, unparsed_uri, uri, filename, canonical_filename, path_info, args, used_path_info,
            per_dir_config, log_id, htaccess, output_filters, input_filters, no_cache, finfo, useragent_addr, useragent_ip }
        whole apr_finfo_t { filetype, size, mtime }
        part apr_sockaddr_t { port }
        whole apr_array_header_t { pool, nelts, elts }
        whole apr_table_entry_t { key, val }
        whole apr_bucket { link, type_ = type, length, start, data, free, list }
        whole apr_bucket_type_t { name, num_func, is_metadata, destroy, read, setaside, split, copy }
        whole apr_bucket_refcount { refcount }
        part ap_filter_t { frec, next }
        part ap_filter_rec_t { name, ftype }
        part htaccess_result { htaccess, next }
        whole apr_bucket_brigade { p, list, bucket_alloc }
        whole ap_regex_t { re_pcre, re_nsub, re_erroffset }
        whole ap_regmatch_t { rm_so, rm_eo }
        whole apr_proc_t { pid, in_ = in, out, err }
        whole authn_provider { check_password, get_realm_hash }
        whole authz_provider { check_authorization, parse_require_line }
        whole unixd_config_rec { user_name, user_id, group_id }
    }
    facts
}

fn numbers() -> Vec<Fact> {
    constants! {
        MODULE_MAGIC_NUMBER_MAJOR MODULE_MAGIC_COOKIE
        OK DECLINED DONE AP_FILTER_ERROR
        APR_SUCCESS APR_EOF APR_INCOMPLETE APR_EGENERAL APR_EAGAIN APR_ECONNRESET APR_ECONNABORTED APR_EPIPE
        APR_FOPEN_READ APR_FOPEN_SENDFILE_ENABLED APR_NOFILE APR_REG APR_DIR
        APR_HOOK_REALLY_FIRST APR_HOOK_FIRST APR_HOOK_MIDDLE APR_HOOK_LAST APR_HOOK_REALLY_LAST
        APR_OC_REASON_DEATH APR_OC_REASON_LOST APR_OC_REASON_RESTART
        APLOG_EMERG APLOG_ALERT APLOG_CRIT APLOG_ERR APLOG_WARNING APLOG_NOTICE APLOG_INFO APLOG_DEBUG APLOG_TRACE1
        APLOG_TRACE8 APLOG_STARTUP APLOG_NO_MODULE
        OR_FILEINFO OR_AUTHCFG ACCESS_CONF RSRC_CONF GLOBAL_ONLY OPT_EXECCGI M_GET ENABLE_SENDFILE_OFF
        RAW_ARGS TAKE1 FLAG NO_ARGS
        AP_REQ_ACCEPT_PATH_INFO AP_REQ_REJECT_PATH_INFO AP_REG_EXTENDED
        AP_MPMQ_NOT_SUPPORTED AP_MPMQ_IS_THREADED AP_MPMQ_MAX_THREADS AP_MPMQ_MAX_DAEMONS AP_MPMQ_MPM_STATE
        AP_MPMQ_STOPPING
        AP_SQ_MAIN_STATE AP_SQ_RUN_MODE AP_SQ_MS_CREATE_PRE_CONFIG AP_SQ_RM_CONFIG_TEST
        AP_SQ_RM_CONFIG_DUMP
        APR_BLOCK_READ APR_NONBLOCK_READ APR_BUCKET_DATA APR_BUCKET_METADATA AP_MODE_READBYTES AP_CONN_CLOSE
        MPM_CHILD_STARTED MPM_CHILD_EXITED
        REMOTE_HOST SATISFY_ANY AP_AUTH_INTERNAL_PER_CONF
        AUTH_DENIED AUTH_GRANTED AUTH_USER_FOUND AUTH_USER_NOT_FOUND AUTH_GENERAL_ERROR
        AUTHZ_DENIED AUTHZ_GRANTED AUTHZ_NEUTRAL AUTHZ_GENERAL_ERROR AUTHZ_DENIED_NO_USER
    }
}

/// C names for structures that have only a tag.
const TYPEDEFS: &str = "typedef struct htaccess_result htaccess_result;\n";

/// A C program that prints each fact on a line.
fn program(facts: &[Fact]) -> String {
    let mut text =
        format!("{}#include <stddef.h>\n#include <stdio.h>\n{TYPEDEFS}int main(void) {{\n", support::HEADERS);
    for fact in facts {
        let _ = writeln!(text, "    printf(\"%lld\\n\", (long long)({}));", fact.c);
    }
    text + "    return 0;\n}\n"
}

#[test]
fn structures_and_constants_are_those_of_the_headers() {
    let facts: Vec<Fact> = structures().into_iter().chain(numbers()).collect();
    let output = match compile_and_run("facts", &program(&facts)) {
        Ok(output) => output,
        Err(reason) => return skipped("structures_and_constants_are_those_of_the_headers", &reason),
    };
    let theirs: Vec<i64> = output.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(theirs.len(), facts.len());
    let wrong: Vec<String> = (facts.iter().zip(theirs))
        .filter(|(fact, theirs)| fact.ours != *theirs)
        .map(|(fact, theirs)| format!("{}: {} here, {theirs} in the headers", fact.name, fact.ours))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A C program that prints, for each value, the bytes of a zeroed `kind` whose `member` has that value.
fn dump(kind: &str, member: &str, values: &[u32]) -> String {
    let mut text =
        format!("{}#include <stdio.h>\n#include <string.h>\nint main(void) {{\n", support::HEADERS);
    for value in values {
        let _ = writeln!(
            text,
            "    {{ {kind} it; memset(&it, 0, sizeof it); it.{member} = {value};\n\
             \x20     for (size_t at = 0; at < sizeof it; at++) printf(\"%02x\", ((unsigned char *)&it)[at]);\n\
             \x20     puts(\"\"); }}"
        );
    }
    text + "    return 0;\n}\n"
}

/// A structure as C left it in memory.
fn from_hex<T>(line: &str) -> Box<T> {
    let bytes: Vec<u8> = (0..line.len() / 2)
        .map(|at| u8::from_str_radix(&line[2 * at..2 * at + 2], 16).unwrap())
        .take(size_of::<T>())
        .collect();
    let mut value = Box::<T>::new_uninit();
    // SAFETY: the structures hold integers and pointers, for which every bit pattern is a value.
    unsafe {
        value.as_mut_ptr().write_bytes(0, 1);
        value.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        value.assume_init()
    }
}

#[test]
fn bit_fields_are_read_as_c_reads_them() {
    let core = compile_and_run("core", &dump("core_dir_config", "cgi_pass_auth", &[0, 1, 2]));
    let sendfile = compile_and_run("sendfile", &dump("core_dir_config", "enable_sendfile", &[0, 1, 2]));
    let connection = compile_and_run("connection", &dump("conn_rec", "aborted", &[0, 1]));
    let (core, sendfile, connection) = match (core, sendfile, connection) {
        (Ok(core), Ok(sendfile), Ok(connection)) => (core, sendfile, connection),
        (Err(reason), ..) | (_, Err(reason), _) | (.., Err(reason)) => {
            return skipped("bit_fields_are_read_as_c_reads_them", &reason);
        }
    };
    for (expected, line) in (0..).zip(core.lines()) {
        let core = from_hex::<sys::core_dir_config>(line);
        // SAFETY: a live structure, filled by C.
        assert_eq!(unsafe { sys::core_cgi_pass_auth(&raw const *core) }, expected);
    }
    for (expected, line) in (0..).zip(sendfile.lines()) {
        let core = from_hex::<sys::core_dir_config>(line);
        // SAFETY: a live structure, filled by C.
        assert_eq!(unsafe { sys::core_enable_sendfile(&raw const *core) }, expected);
    }
    for (expected, line) in [false, true].into_iter().zip(connection.lines()) {
        let connection = from_hex::<sys::conn_rec>(line);
        // SAFETY: a live structure, filled by C.
        assert_eq!(unsafe { sys::conn_aborted(&raw const *connection) }, expected);
    }
}

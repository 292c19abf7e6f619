//! The words of the command line in Chinese, by what they describe.

use clap::Command;
use hashinsight_crds::text::Language;

/// Commands by name (the whole program by its own), options by name.
const WORDS: [(&str, &str); 22] = [
    ("hashinsight", "挖矿经济计算，以及 Kubernetes 集群上的 HashInsight"),
    ("status", "一屏概览：所有类型，最差的在前"),
    ("doctor", "检查集群、资源类型、准入策略、权限和版本，并给出修复方法"),
    ("explain", "说明某个原因代码的含义及处理方法"),
    ("version", "显示本程序、控制器、资源类型和集群的版本"),
    ("completions", "输出某个 shell 的补全脚本"),
    ("man", "输出手册页，或写出全部手册页"),
    ("--kubeconfig", "kubeconfig 文件；否则取 KUBECONFIG、~/.kube/config 或 Pod 自身的账户"),
    ("--context", "kubeconfig 中的上下文"),
    ("--namespace", "仅此命名空间；对 doctor 和 version 而言是控制器所在的命名空间"),
    ("--output", "输出方式"),
    ("--timeout", "等待集群的秒数"),
    ("--said", "语言：en 或 zh；否则取 LC_ALL、LC_MESSAGES、LANG"),
    ("--help", "显示帮助"),
    ("--version", "显示版本"),
    ("status --all", "同时列出一切正常的对象"),
    ("explain --all", "全部原因"),
    ("--reason", "原因代码，即 REASON 列的内容"),
    ("--client", "仅本程序，不询问集群"),
    ("--shell", "shell 的名称"),
    ("--directory", "将所有手册页写入此文件夹"),
    ("exit codes", CODES),
];

const CODES: &str = "\
退出码：
  0 正常   1 被拒绝或有检查未通过   2 用法错误，或缺少、无法读取某物
  3 暂缓：尚未作出决定   4 无法询问集群   130 被中断";

fn word(key: &str) -> Option<&'static str> {
    WORDS
        .iter()
        .chain(crate::calculate::WORDS)
        .chain(crate::slo::arguments::WORDS)
        .chain(crate::canary::arguments::WORDS)
        .chain(crate::gate::arguments::WORDS)
        .find(|(known, _)| *known == key)
        .map(|(_, word)| *word)
}

/// The word for an option of a command: one of the command's own, or one that
/// commands share.
fn option(command: &str, option: &str) -> Option<&'static str> {
    word(&format!("{command} --{option}")).or_else(|| word(&format!("--{option}")))
}

/// `command` with its words in `language`.
pub fn translate(command: Command, language: Language) -> Command {
    if language == Language::English {
        return command;
    }
    let name = command.get_name().to_owned();
    let mut command = localized(command, &name).after_help(CODES);
    for name in names(&command) {
        command = command.mut_subcommand(&name, |sub| {
            let inner = names(&sub);
            let path = |inner: &str| format!("{name} {inner}");
            let sub = localized(sub, &name);
            inner.iter().fold(sub, |sub, inner| sub.mut_subcommand(inner, |command| localized(command, &path(inner))))
        });
    }
    command
}

fn names(command: &Command) -> Vec<String> {
    command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect()
}

/// `path` is the command as it is typed, without the program.
fn localized(command: Command, path: &str) -> Command {
    let command = match word(path) {
        Some(about) => command.about(about).long_about(None),
        None => command,
    };
    let headings = "{about}\n\n用法: {usage}\n\n{all-args}{after-help}\n";
    let path = path.to_owned();
    command.help_template(headings).subcommand_help_heading("命令").next_help_heading("选项").mut_args(
        move |argument| {
            let translated = option(&path, argument.get_id().as_str());
            match translated {
                Some(help) => argument.help(help).help_heading("选项"),
                None => argument,
            }
        },
    )
}

/// What has no word yet.
#[cfg(test)]
pub fn missing(command: &Command) -> Vec<String> {
    let of = |command: &Command, path: &str| -> Vec<String> {
        let ids = command.get_arguments().map(|argument| argument.get_id().as_str());
        let about = Some(path.to_owned()).filter(|path| word(path).is_none());
        let options = ids.filter(|id| option(path, id).is_none()).map(|id| format!("{path} --{id}"));
        about.into_iter().chain(options).collect()
    };
    let mut missing = of(command, command.get_name());
    for sub in command.get_subcommands() {
        missing.extend(of(sub, sub.get_name()));
        missing.extend(
            sub.get_subcommands().flat_map(|inner| of(inner, &format!("{} {}", sub.get_name(), inner.get_name()))),
        );
    }
    missing
}

"""The published tables of applications: what became of them, as their users and employers told it."""

from collections.abc import Mapping

from serving.contract.columns import TIMESTAMP, USER_ID, Column, Table

FOLLOW_UP_STATUSES = ("due", "sent", "skipped", "cancelled")

_APPLICATION_ID = Column("varchar", "Application, by the app's id, else app- and a hash of user and job")
_JOB_ID = Column("varchar", "Job, as <source>:<source_id>; null for a job from elsewhere")
_STATE = (
    "saved, preparing, applied, acknowledged, screening, assessment, interview, final_interview, offer, negotiation"
)
_FINAL = "accepted, declined, rejected or withdrawn"
_UPDATED_AT = Column(TIMESTAMP, "Last event about it")
_JOB = {
    "job_id": _JOB_ID,
    "title": Column("varchar", "Title of the job"),
    "company": Column("varchar", "Company"),
}
_INTERVIEW = {
    "kind": Column("varchar", "phone, video, onsite, panel or technical"),
    "starts_at": Column(TIMESTAMP, "Start"),
    "utc_offset_minutes": Column("smallint", "Time zone in which the start was stated", "minutes east of UTC"),
    "duration_minutes": Column("integer", "Length", "minutes"),
    "outcome": Column("varchar", "passed, failed or unknown"),
    "interviewer": Column("varchar", "Who leads the interview, as the app states it"),
}
_PAY = {
    "salary": Column("double", "Offered pay, in currency per period"),
    "currency": Column("varchar", "Currency of the pay (ISO 4217)"),
    "period": Column("varchar", "What the pay is for: hour, day, week, month or year"),
}

APPLICATION_TABLES: Mapping[str, Table] = {
    "applications": Table(
        "Applications as they stand; one row per user and application",
        ("user_id", "application_id"),
        {
            "user_id": USER_ID,
            "application_id": _APPLICATION_ID,
            **_JOB,
            "company_id": Column("varchar", "Company, by the id of the job's source"),
            "url": Column("varchar", "Page of the job"),
            "state": Column("varchar", f"{_STATE}, {_FINAL}; null if there are only notes"),
            "state_since": Column(TIMESTAMP, "When it came into this state"),
            "applied_at": Column(TIMESTAMP, "When the employer could first know of it; null before"),
            "last_event_at": Column(TIMESTAMP, "Last event"),
            "is_silent": Column("boolean", "Whether there is no news for as long as applications.yaml says"),
            "next_action": Column("varchar", "interview, deadline, offer_deadline or reminder; null if nothing is due"),
            "next_action_at": Column(TIMESTAMP, "When it is due; a day's deadline at the beginning of the day in UTC"),
            "match_percent": Column("smallint", "Score in the feed that last showed the job before it", "percent"),
        },
    ),
    "application_events": Table(
        "The timeline of each application, in order; one row per event",
        ("user_id", "application_id", "position"),
        {
            "user_id": USER_ID,
            "application_id": _APPLICATION_ID,
            "position": Column("integer", "Position in the timeline, from 1"),
            "event_id": Column("varchar", "Event, by the app's id"),
            "occurred_at": Column(TIMESTAMP, "When it happened"),
            "event_type": Column("varchar", "status, interview, offer, note, deadline, reminder, reply or follow_up"),
            "state_before": Column("varchar", "State before the event; null for a new application"),
            "state": Column("varchar", "State after the event"),
            "asked_state": Column("varchar", "State that the event asks for"),
            "is_refused": Column("boolean", "Whether the transition is not allowed, so that the state stayed"),
            **_JOB,
            "url": Column("varchar", "Page of the job"),
            "interview_id": Column("varchar", "Interview, by the app's id"),
            "offer_id": Column("varchar", "Offer, by the app's id"),
            "action": Column("varchar", "What happened to the interview, offer or follow-up"),
            **_INTERVIEW,
            **_PAY,
            "due_date": Column("date", "Deadline, also of an offer"),
            "remind_at": Column(TIMESTAMP, "When the user wants to be reminded"),
            "text": Column("varchar", "Note, reminder, reply or feedback"),
            "channel": Column("varchar", "Where the note was taken"),
            "direction": Column("varchar", "Reply: in (from the employer) or out"),
            "sentiment": Column("varchar", "Reply of the employer: positive, neutral or negative"),
            "sentiment_by": Column("varchar", "Who judged it: app, rules, model, rules_after_model_failed"),
            "sequence": Column("varchar", "Follow-up: its sequence"),
            "step": Column("integer", "Follow-up: its step in the sequence"),
        },
    ),
    "application_funnel": Table(
        "How far applications come; one row per user (empty for all together), dimension, value and step",
        ("user_id", "dimension", "value", "step"),
        {
            "user_id": Column("varchar", "User, by the id that the app gave; empty for all users together"),
            "dimension": Column(
                "varchar", "all, source, recipe, arm, company, role, skill, career_level or country; all for one user"
            ),
            "value": Column("varchar", "Value of the dimension; groups of fewer than ten people are left out"),
            "step": Column("varchar", "applied, acknowledged, screening, assessment, interview, offer or accepted"),
            "position": Column("smallint", "Position of the step, from 1"),
            "n_users": Column("bigint", "People in the group"),
            "n_applications": Column("bigint", "Applications in the group"),
            "n_reached": Column("bigint", "Of these, came to the step or beyond"),
            "conversion": Column("double", "Share of those at the step before that came to this one", "0–1"),
            "share": Column("double", "Share of all applications that came to it", "0–1"),
            "lower": Column("double", "Lower bound of the share, 95 %", "0–1"),
            "upper": Column("double", "Upper bound of the share, 95 %", "0–1"),
            "median_days": Column("double", "Median time from the application to the step", "days"),
        },
    ),
    "interviews": Table(
        "Interviews as they stand; one row per user, application and interview",
        ("user_id", "application_id", "interview_id"),
        {
            "user_id": USER_ID,
            "application_id": _APPLICATION_ID,
            "interview_id": Column("varchar", "Interview, by the app's id"),
            "status": Column("varchar", "scheduled, completed or cancelled"),
            **_INTERVIEW,
            "feedback": Column("varchar", "What the user or the employer said of it"),
            "revision": Column("integer", "How often it was changed"),
            "is_soon": Column("boolean", "Whether it begins within a day of the run, and has not begun"),
            "updated_at": _UPDATED_AT,
        },
    ),
    "follow_ups": Table(
        "What to write to employers, and when; one row per user, application, sequence, ref and step",
        ("user_id", "application_id", "sequence", "ref", "step"),
        {
            "user_id": USER_ID,
            "application_id": _APPLICATION_ID,
            "sequence": Column("varchar", "Sequence of follow_ups.yaml, such as after_application"),
            "ref": Column("varchar", "What began it: the id of an event or an offer, or interview: and its id"),
            "step": Column("integer", "Step of the sequence, from 1"),
            "template": Column("varchar", "Template of follow_ups.yaml that the draft is made from"),
            "begins_at": Column(TIMESTAMP, "When the sequence began; of an interview its end"),
            "due_at": Column(TIMESTAMP, "When the step is to be sent; it may lie ahead"),
            "is_due": Column("boolean", "Whether that time has come, and the step is open"),
            "expires_at": Column(TIMESTAMP, "When the step is skipped unless it is sent: at the next one, or by time"),
            "channel": Column("varchar", "email, message or phone"),
            "language": Column("varchar", "Language of the draft: the job's, else the user's"),
            "subject": Column("varchar", "Subject of the draft; null unless the step is open"),
            "text": Column(
                "varchar",
                "Draft, which the user sends; null unless the step is open. {name} stands for the user's name, which "
                "the app puts in",
            ),
            "status": Column("varchar", "due (open, see is_due), sent, skipped or cancelled"),
            "why": Column(
                "varchar",
                "Of a step that is due, what began the sequence: a state, reply_in, reply_out, interview_end or "
                "offer_deadline. Else what ended it: user, next_step, expired, state_ and the new state, reply or "
                "reply_ and its sentiment, reply_out, interview, interview_cancelled, offer, or offer_ and its outcome",
            ),
            "revision": Column("integer", "Grows with every change of the row"),
            "updated_at": Column(TIMESTAMP, "Last change"),
        },
    ),
    "follow_up_stats": Table(
        "How often employers answer follow-ups; one row per sequence, step, template and waiting time, all among them",
        ("sequence", "step", "template", "waiting"),
        {
            "sequence": Column("varchar", "Sequence of follow_ups.yaml"),
            "step": Column("integer", "Step of the sequence, from 1; 0 for all"),
            "template": Column("varchar", "Template of follow_ups.yaml; all"),
            "waiting": Column("varchar", "Days from the beginning of the sequence until it was sent: 0-2, 3-4 …; all"),
            "n_users": Column("bigint", "People who sent it; groups of fewer than ten are left out"),
            "n_sent": Column("bigint", "Follow-ups that were sent and had time for an answer"),
            "n_replies": Column("bigint", "Of these, answered by a message or a step forward within 14 days"),
            "reply_share": Column("double", "Share that was answered", "0–1"),
            "lower": Column("double", "Lower bound of the share, 95 %", "0–1"),
            "upper": Column("double", "Upper bound of the share, 95 %", "0–1"),
            "median_days": Column("double", "Median time from the follow-up to the answer", "days"),
            "recommended_days": Column(
                "double",
                "Median wait of the time that is answered most; null unless the intervals tell it",
                "days",
            ),
        },
    ),
    "offers": Table(
        "Offers as they stand; one row per user, application and offer",
        ("user_id", "application_id", "offer_id"),
        {
            "user_id": USER_ID,
            "application_id": _APPLICATION_ID,
            "offer_id": Column("varchar", "Offer, by the app's id"),
            "status": Column("varchar", "received, countered, accepted, declined or expired"),
            **_PAY,
            "monthly_usd": Column("double", "Pay", "USD per month"),
            "deadline": Column("date", "Day by which it must be answered"),
            "market_percentile": Column(
                "double", "Share of the market's salaries for the role and area that are lower, equal ones half", "0–1"
            ),
            "n_compared": Column(
                "integer", "Open jobs with a salary for the role and area; under 10 there is no share"
            ),
            "updated_at": _UPDATED_AT,
        },
    ),
}

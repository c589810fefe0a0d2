import streamlit as st

st.title("Aggregate")
